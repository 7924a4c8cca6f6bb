"""Drafts in the model: flawed answers, operators who decide, and the job that queues approvals."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from lambda_src.core.contract import (
    CheckMode,
    OpenWork,
    Status,
)
from lambda_src.core.contract import Step as FlowStep
from lambda_src.core.drafts.pending import ApprovedDrafts
from lambda_src.core.errors import ProcessingError, TransientFailure
from lambda_src.core.ledger import ConditionFailed, HeldDraft
from lambda_src.core.models import RecordKey
from ops.dlq.policy import RedriveDecision
from ops.errors import OperatorError
from tests.faults.model._events import EventsEnvironment
from tests.faults.model._system import BODIES, FLAWED, KEYS, Alter, NothingToDo, parse, pick
from tests.faults.operator_decisions import Approvals
from tests.support import contexts
from tests.support.fake_ledger import Record
from tests.support.runtime import FIRST_CONTACT, FUNCTION_TIMEOUT, FakeMetrics

OPERATORS = ("dana", "eli")
NEW_TEMPLATE = "HX2"
LATER = 2.0
"""Seconds after which an operator looks: a worker's clock may be ahead of theirs."""


class ContextQueue:
    """Implements the port `ContextQueue`."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def send(self, body: str, company_id: str, asked_at: int) -> None:  # noqa: ARG002 - the port's
        self._put(body)


class DraftsEnvironment(EventsEnvironment):
    """The operators who decide about drafts, and the scheduled job that queues what is approved.

    Attributes:
        shown: By operator, the conversation and the draft that they have seen last.
    """

    def __init__(self, alter: Alter) -> None:
        super().__init__(alter)
        approvals = Approvals(self.store, self.hand_off.copies, FIRST_CONTACT)
        self._approvals: Approvals = alter(approvals)
        self.shown: dict[str, tuple[RecordKey, HeldDraft]] = {}
        self._loses_answers = False
        self._queued: list[str] = []
        metrics = FakeMetrics()
        self._job: ApprovedDrafts = alter(
            ApprovedDrafts(self.store, ContextQueue(self._queue_approved), metrics, self.clock)
        )

    def do_begin(self, *settings: int) -> None:
        """Choose the schedule's settings; the last ones may be missing."""
        super().do_begin(*settings[:5])
        if any(settings[5:]):
            self.check_mode = CheckMode.REPORT
            self.observer.has_checks = False

    def end_faults(self) -> None:
        """Let every fault pass; what containers have cached of a changed secret expires."""
        super().end_faults()
        if self._has_new_template:
            self.expire_secrets()

    @property
    def _has_new_template(self) -> bool:
        stored = self.secrets.twilio_credentials.stored
        return stored[contexts.TWILIO_SECRET].template_id == NEW_TEMPLATE

    def do_write_badly(self, answers: int, flaw: int) -> None:
        """Let the AI's next answers be flawed: by an invented fact, or by an empty text."""
        self.generator.flaws += answers * [pick(FLAWED, flaw)]

    def do_old_record(self, conversation: int, is_bad: int) -> None:
        """Let version 1.x have stored an answer that it did not check."""
        key = pick(KEYS, conversation)
        if key in self.store.records:
            raise NothingToDo
        self.observer.of(key)
        context = parse(BODIES[key])
        answer = self.generator.write(key.conversation_id, FLAWED[0] if is_bad else None)
        self.store.records[key] = Record(
            *(key, Status.RETRY, self.clock()), answer=answer, attributes=context.attributes
        )
        self.queue.put(key, BODIES[key])

    def do_change_template(self) -> None:
        """Let the tenant's secret name another template; containers have cached the old one."""
        if self._has_new_template:
            raise NothingToDo
        stored = self.secrets.twilio_credentials.stored
        changed = replace(stored[contexts.TWILIO_SECRET], template_id=NEW_TEMPLATE)
        stored[contexts.TWILIO_SECRET] = changed

    def do_expire(self) -> None:
        """Let the copies on the hand-off queue expire."""
        if not self.hand_off.copies:
            raise NothingToDo
        self.hand_off.copies.clear()

    def do_show(self, operator: int, which: int) -> None:
        """Let an operator look at one of the drafts that wait."""
        key = pick(self._list_held(), which)
        draft = self._approvals.read(key)
        if draft is None:
            self.observer.of(key).undecidable += 1
            raise NothingToDo
        self.shown[pick(OPERATORS, operator)] = key, draft

    def do_decide(self, operator: int, decision: str, is_killed: int) -> None:
        """Let an operator decide about the draft that they saw last, whatever happened since."""
        who = pick(OPERATORS, operator)
        if who not in self.shown:
            raise NothingToDo
        key, draft = self.shown[who]
        is_approved = self.decide(who, key, draft, decision)
        if is_approved and not is_killed:
            self._put_rebuilt(key)

    def decide(self, who: str, key: RecordKey, draft: HeldDraft, decision: str) -> bool:
        """Make a decision, and return whether the message is to be queued."""
        observation, present = self.observer.of(key), self._approvals.read(key)
        is_present = present is not None and present.id == draft.id
        now = self.clock()
        try:
            if decision == "reject":
                self._approvals.reject(key, draft, now)
            else:
                answer = self._approvals.compose(key, draft, decision)
                self._approvals.approve(key, draft, answer, who, now)
        except ConditionFailed:
            observation.undecidable += is_present
            return False
        except OperatorError:
            return False
        observation.decided_unseen += not is_present
        self.observer.reached.add(f"draft: {decision}")
        if decision == "reject":
            observation.reject()
            return False
        observation.approve(answer.variables, draft.template_id)
        return True

    def do_repeat(self, operator: int) -> None:
        """Let an operator repeat a command that was interrupted before it queued the message."""
        who = pick(OPERATORS, operator)
        if who not in self.shown:
            raise NothingToDo
        key, _ = self.shown[who]
        record = self.store.records[key]
        kind, _ = record.open_work or (None, 0.0)
        if kind is not OpenWork.APPROVED or record.drafts.approved_by != who:
            raise NothingToDo
        self._put_rebuilt(key)

    def do_queue_approved(self, loses_answers: int) -> None:
        """Let the scheduled job queue what was approved, once it is due.

        Perhaps it does not learn that it did.
        """
        if not self.has_approved:
            raise NothingToDo
        self.clock.advance(max(0.0, min(self._approved_since()) - self.clock()) + 1)
        self._loses_answers = bool(loses_answers)
        with suppress(*(ProcessingError,)[: bool(loses_answers)]):
            self._job.run(self.clock() + FUNCTION_TIMEOUT)
        self._loses_answers = False
        queued = {parse(body).key.conversation_id: body for body in self._queued}
        self._queued.clear()
        for conversation_id in sorted(queued):  # the job has threads
            body = queued[conversation_id]
            self.queue.put(parse(body).key, body)

    def queue_due_approvals(self) -> bool:
        """Let the scheduled job queue what was approved, and return whether it did."""
        before = len(self.queue.messages)
        with suppress(NothingToDo):
            self.do_queue_approved(0)
        return len(self.queue.messages) > before

    @property
    def has_approved(self) -> bool:
        """Whether a message was approved, and is neither sent nor failed since."""
        return bool(self._approved_since())

    def _approved_since(self) -> list[float]:
        """Return when the scheduled job queues each of these messages."""
        work = (record.open_work for record in self.store.records.values())
        return [since for kind, since in filter(None, work) if kind is OpenWork.APPROVED]

    def approve_what_waits(self) -> bool:
        """Approve every draft that waits, without queueing its message; return whether any did."""
        held = [(key, self._approvals.read(key)) for key in self._list_held()]
        drafts = [(key, draft) for key, draft in held if draft]
        for key, draft in drafts:
            if not self.decide(OPERATORS[0], key, draft, "approve"):
                self.decide(OPERATORS[0], key, draft, "edit")
        return bool(drafts)

    def redrive_decision(self, record: Record) -> RedriveDecision:
        """Return what the operator's tool does with a draft's dead letter."""
        return self._approvals.redrive_decision(record)

    def is_undecidable(self, record: Record | None) -> bool:
        """Return whether a draft waits that no operator finds."""
        if record is None or record.status is not Status.AWAITING_APPROVAL:
            return False
        return record.key not in self._list_held()

    def _list_held(self) -> list[RecordKey]:
        return self._approvals.list_held(self.clock() + LATER)

    def _put_rebuilt(self, key: RecordKey) -> None:
        self.queue.put(key, self._approvals.request(key).body)

    def _queue_approved(self, body: str) -> None:
        self._queued.append(body)
        if self._loses_answers:
            raise TransientFailure("queue_unavailable", FlowStep.DELIVERY)
