"""Callbacks and drafts in the model: who reports, forges, records, decides and queues them."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import inf
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from lambda_src.channels import whatsapp
from lambda_src.core.contract import CheckMode, DeliveryStatus, OpenWork, Status, Step
from lambda_src.core.delivery.events import EventBatchHandler, EventRecorder
from lambda_src.core.errors import ProcessingError, TransientFailure
from lambda_src.core.ledger import ConditionFailed, HeldDraft
from lambda_src.core.models import Delivery, DeliveryEvent, RecordKey, callback_path
from lambda_src.core.scheduled_job import ApprovedDrafts, LookupScheduler
from lambda_src.services.secrets_manager_service import TwilioCredentials
from lambda_src.services.twilio.callbacks import TwilioCallbacks
from ops.dlq.policy import RedriveDecision
from ops.errors import OperatorError
from tests.faults.model._calls import EVENT_FAULTS, Author, CallFault, Event, TaskPool
from tests.faults.model._system import (
    BODIES,
    FLAWED,
    KEYS,
    SHORT_LEASE,
    SLOW_GENERATION,
    Alter,
    InMemoryQueue,
    LaggingSender,
    LateEffect,
    ModelGenerator,
    NothingToDo,
    Observer,
    Process,
    parse,
    pick,
)
from tests.faults.operator_decisions import Approvals
from tests.faults.rules import RANKS
from tests.support import contexts
from tests.support.clock import FakeClock
from tests.support.fake_ledger import FakeLedgerStore, Record
from tests.support.fakes import FakeAssistants, FakeSecrets, SentMessage
from tests.support.runtime import (
    API_KEY,
    BACKOFF_BASE,
    FIRST_CONTACT,
    FUNCTION_TIMEOUT,
    LEASE_SECONDS,
    TWILIO,
    FakeHandOffQueue,
    FakeMetrics,
    store_defaults,
)

DAY = 86_400.0
BASE_URL = "https://callbacks.example"
CALLBACKS = TwilioCallbacks(whatsapp.PREFIX)
CODES = {"undelivered": "63024", "opted_out": "21610", "failed": "30008"}
"""Twilio's error code with each report of a failure."""
FORGERIES = ("another token", "another tenant", "altered", "another conversation", "no such intent")
MAX_EVENTS = 100
"""Many more batches of events than any schedule may need."""
ENDS = ("delivered", "undelivered", "read", "failed")
"""The last statuses of messages, in turn."""
LATE_END = 7 * 3600.0
"""Seconds after its send in which every second message gets its last status: after two lookups."""


class Report(NamedTuple):
    """What the vendor reports to the address that came with the message."""

    sent: SentMessage
    status: str
    code: str


class Vendor:
    """Implements the port `StatusLookup`."""

    def __init__(self, environment: "ModelEnvironment") -> None:
        self._environment = environment

    def look_up(self, _: TwilioCredentials, sid: str) -> DeliveryEvent | None:
        """Return a message's last status."""
        sender = self._environment.sender
        recipients = [sent.message.recipient for sent in sender.sent if sent.sid == sid]
        status = self._environment.statuses.get(sid, [DeliveryStatus.QUEUED])[-1]
        code = self._environment.codes.get(sid, "")
        return (
            DeliveryEvent(recipients[0], sid, DeliveryStatus(status), code) if recipients else None
        )

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        return CALLBACKS.classify(event)


class EventsContainer(Process):
    """Records one batch of events at a time, by the real worker."""

    def __init__(self, number: int, environment: "ModelEnvironment", alter: Alter) -> None:
        super().__init__(f"events worker {number}", environment)
        store, secrets = environment.store, environment.cached_secrets()
        self._handler = alter(
            EventBatchHandler(
                recorder=EventRecorder(
                    contexts.CHANNEL,
                    self._stepped("store", store),
                    self._stepped("secrets", secrets),
                    self.clock,
                    callbacks=CALLBACKS,
                    lookup=self._stepped("lookup", Vendor(environment)),
                ),
                queue=self._stepped("queue", environment.events_queue),
                metrics=FakeMetrics(),
                clock=self.clock,
                max_concurrency=10,
                backoff_base=BACKOFF_BASE,
                pool=lambda _: TaskPool(self),
                random=Random(0),  # noqa: S311 - jitter, the same in every run
            )
        )

    def _fail(self, call: LateEffect, fault: CallFault) -> Any:
        self.environment.has_secret_trouble |= call.call == "secrets.credentials"
        return super()._fail(call, fault)

    def invoke(self, deliveries: list[Delivery]) -> None:
        records = [
            {
                "messageId": delivery.message_id,
                "receiptHandle": delivery.receipt_handle,
                "body": delivery.body,
                "attributes": {"ApproximateReceiveCount": delivery.receive_count},
            }
            for delivery in deliveries
        ]
        result = self._handler.handle_event({"Records": records}, round(FUNCTION_TIMEOUT * 1000))
        failed = {one["itemIdentifier"] for one in result["batchItemFailures"]}
        for delivery in deliveries:
            if delivery.message_id not in failed:
                author = self.authors[delivery.message_id]
                self.call("mapping.delete", partial(self.environment.delete_event, author))


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


class ModelEnvironment:
    """What surrounds the workers; each method `do_…` is an action of schedules.

    Attributes:
        statuses: Each message's statuses at the vendor, in their order, by its id.
        codes: The error code of each failed message.
        ended_at: When each message got its last status so far, in epoch seconds.
        reports: Reports that were not delivered, or may be delivered again.
        has_secret_trouble: Whether callbacks were dropped because a secret was wrong.
        shown: By operator, the conversation and the draft that they have seen last.
    """

    def __init__(self, alter: Alter) -> None:
        self.clock = FakeClock()
        self.store = FakeLedgerStore()
        self.secrets = FakeSecrets()
        self.assistants = FakeAssistants()
        self.late: list[LateEffect] = []
        self.is_late_last = False
        self.lease_seconds = LEASE_SECONDS
        self.ai_seconds = 0.0
        self.queue = InMemoryQueue(self.clock)
        self.sender = LaggingSender(self.clock, TWILIO.auth_token)
        self.generator = ModelGenerator(API_KEY)
        self.hand_off = FakeHandOffQueue()
        self.check_mode = CheckMode.ENFORCE
        self._caches: list[FakeSecrets] = []
        self.events: dict[str, Event] = {}  # by message id
        self.observer = Observer(self.store)
        store_defaults(self.secrets, self.assistants)
        self.callback_base_url = BASE_URL
        self.callbacks_arrive = False  # those that no step posts
        self.events_queue = InMemoryQueue(self.clock, "event")
        self.event_workers: list[EventsContainer] = []
        self.statuses: dict[str, list[str]] = {}
        self.codes: dict[str, str] = {}
        self.ended_at: dict[str, float] = {}
        self.reports: list[Report] = []
        self.has_secret_trouble = False
        scheduler = LookupScheduler(self.store, self, FakeMetrics(), self.clock, 5)
        self._scheduler: LookupScheduler = alter(scheduler)
        approvals = Approvals(self.store, self.hand_off.bodies, FIRST_CONTACT)
        self._approvals: Approvals = alter(approvals)
        self.shown: dict[str, tuple[RecordKey, HeldDraft]] = {}
        self._loses_answers = False
        self._queued: list[str] = []
        metrics = FakeMetrics()
        self._job: ApprovedDrafts = alter(
            ApprovedDrafts(self.store, ContextQueue(self._queue_approved), metrics, self.clock)
        )

    @property
    def reported_messages(self) -> list[SentMessage]:
        return [sent for sent in self.sender.sent if sent.message.status_callback]

    def do_begin(self, receives: int, *flags: int) -> None:
        """Choose the schedule's settings; the last two flags may be missing."""
        is_original, is_slow, is_late_last, callbacks, is_report_only = (*flags, 0, 0)[:5]
        self.queue.max_receives = receives
        self.generator.is_original = bool(is_original)
        self.is_late_last, self.callbacks_arrive = bool(is_late_last), bool(callbacks)
        if is_slow:
            self.lease_seconds, self.ai_seconds = SHORT_LEASE, SLOW_GENERATION
        if is_report_only:
            self.check_mode = CheckMode.REPORT
            self.observer.has_checks = False

    def cached_secrets(self) -> FakeSecrets:
        """Return the secrets with a cache of their own."""
        secrets = FakeSecrets()
        secrets.openai_keys.stored = self.secrets.openai_keys.stored
        secrets.twilio_credentials.stored = self.secrets.twilio_credentials.stored
        self._caches.append(secrets)
        return secrets

    def expire_secrets(self) -> None:
        for secrets in self._caches:
            secrets.twilio_credentials.expire()

    def apply(self, late: LateEffect) -> None:
        self.late.remove(late)
        with suppress(ConditionFailed, ProcessingError):
            late.effect()

    def do_wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def do_wait_for_queue(self) -> None:
        if queued := self.queue.on_queue:
            self.clock.now = max(self.clock.now, queued[0].visible_at)

    def do_lag(self) -> None:
        self.sender.listed_until = min(self.sender.listed_until, self.clock())

    def do_catch_up(self) -> None:
        self.sender.listed_until = inf

    def do_apply_late(self, which: int) -> None:
        self.apply(pick(self.late, which))

    def do_report(self, which: int, status: str) -> None:
        """Let a message get a later status, which the vendor is about to report."""
        sent = pick(self.reported_messages, which)
        self._advance(sent.sid, status)
        name, code = self.statuses[sent.sid][-1], self.codes.get(sent.sid, "")
        self.reports.append(Report(sent, name, code))

    def _advance(self, sid: str, status: str) -> None:
        name = "undelivered" if status == "opted_out" else status
        statuses = self.statuses.setdefault(sid, [DeliveryStatus.QUEUED])
        has_arrived = statuses[-1] in {DeliveryStatus.DELIVERED, DeliveryStatus.READ}
        if RANKS[name] <= RANKS[statuses[-1]] or (status in CODES and has_arrived):
            raise NothingToDo
        statuses.append(name)
        self.ended_at[sid] = self.clock()
        if status in CODES:
            self.codes[sid] = CODES[status]

    def do_look_up(self) -> None:
        """Let the scheduled job request the lookups that are due more than an hour later."""
        self.clock.advance(3700)
        self.schedule_lookups()

    def schedule_lookups(self) -> None:
        """Let the scheduled job request the lookups that are due."""
        self._scheduler.run(self.clock() + FUNCTION_TIMEOUT)

    def count_waiting(self) -> int:
        """Return how many events wait; with `send`, the port `RequestQueue`."""
        return len(self.events_queue.on_queue)

    def send(self, delayed: Sequence[tuple[str, int]]) -> None:
        """Put lookup requests on the events queue."""
        for body, seconds in delayed:
            asked = json.loads(body)["lookup"]
            key = RecordKey(asked["primary_channel"], asked["conversation_id"])
            self.events[self.events_queue.put(key, body, seconds)] = Event()

    def end_messages(self, after: float) -> None:
        """Give each message its last status, unless it has one; some only so long after a send."""
        for number, sent in enumerate(self.sender.sent):
            if number % 2 == 0 or self.clock() >= sent.at + after:
                with suppress(NothingToDo):
                    self._advance(sent.sid, ENDS[number % len(ENDS)])

    def due_status(self, sid: str) -> str | None:
        """Return a message's status; None if it got it too late for the lookup after a day."""
        [sent] = [one for one in self.sender.sent if one.sid == sid]
        is_in_time = self.ended_at.get(sid, sent.at) <= sent.at + DAY
        return self.statuses.get(sid, [DeliveryStatus.QUEUED])[-1] if is_in_time else None

    def do_post(self, which: int, is_kept: int) -> None:
        """Let a report arrive, perhaps not for the last time, and in any order."""
        report = pick(self.reports, which)
        if not is_kept:
            self.reports.remove(report)
        url = report.sent.message.status_callback.partition("#")[0]
        form = _form(report.sent.message.recipient, report.sent.sid, report.status, report.code)
        if conversation := self._conversation_at(url):
            signature = _signature(self.sender.auth_token, url, form)
            message = self.events_queue.put(conversation, self._callback(url, form, signature))
            self.events[message] = Event(url.rpartition("/")[2])

    def do_forge(self, which: int, kind: int, status: str) -> None:
        """Let a stranger who knows the address of an intent report a status to it."""
        with_intent = [r for r in self.store.records.values() if r.intent and r.intent.id]
        record = pick(with_intent, which)
        token, forgery = self.sender.auth_token, FORGERIES[kind % len(FORGERIES)]
        sid = record.vendor_id or f"SM{9:032d}"
        form = _form(record.key.primary_channel, sid, status, CODES.get(status, ""))
        intent_id = record.intent.id if record.intent else ""
        url = f"{BASE_URL}{_path(record.key, intent_id)}"
        signed_url, signed_form = url, dict(form)
        match forgery:
            case "another token":
                token = "token-of-a-stranger"
            case "another tenant":
                form["AccountSid"] = signed_form["AccountSid"] = "AC2"
                token = "token-2"
            case "altered":
                signed_form["MessageStatus"] = "sent" if status != "sent" else "read"
            case "another conversation":
                signed_url = f"{BASE_URL}{_path(record.key, 'another-intent')}"
            case _:
                url = signed_url = f"{BASE_URL}{_path(record.key, 'no-such-intent')}"
        callback = self._callback(url, form, _signature(token, signed_url, signed_form))
        message = self.events_queue.put(record.key, callback)
        self.events[message] = Event(intent_id, is_forged=True)

    def _callback(self, url: str, form: dict[str, str], signature: str) -> str:
        body, at = urlencode(form), self.clock()
        event = {"url": url, "signature": signature, "body": body, "received_at": at}
        return json.dumps(event)

    def _conversation_at(self, url: str) -> RecordKey | None:
        found = (key for key in self.store.records if _path(key, "") in url)
        return next(found, None)

    def delete_event(self, author: Author) -> None:
        """Delete an event that was recorded or dropped; note what it then must have done."""
        self.events_queue.delete(author.owner)
        record, event = self.store.records.get(author.key), author.event
        intent_id = record.intent.id if record and record.intent else None
        if event == Event(intent_id or "none") and not self.has_secret_trouble:
            self.observer.of(author.key).is_proven = True

    def let_reports_arrive(self) -> None:
        """Report each message, and deliver every report."""
        for number, sent in enumerate(self.reported_messages):
            if sent.sid not in self.statuses:
                self.do_report(number, DeliveryStatus.SENT)
        while self.reports:
            self.do_post(0, 0)

    def end_faults(self) -> None:
        """Let every fault pass; what containers have cached of a changed secret expires."""
        if self._has_new_template:
            self.expire_secrets()
        if not self.is_late_last:
            self.end_lateness()

    def end_lateness(self) -> None:
        self.do_catch_up()
        while self.late:
            self.apply(self.late[0])

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
        if not self.hand_off.bodies:
            raise NothingToDo
        self.hand_off.bodies.clear()

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
            observation.approved, observation.is_rejected = None, True
            return False
        observation.approved = answer.variables, draft.template_id
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
        """Let the scheduled job queue what is due, perhaps without learning that it did."""
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
        if not self.has_approved:
            return False
        self.clock.advance(max(0.0, min(self._approved_since()) - self.clock()) + 1)
        before = len(self.queue.messages)
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
            raise TransientFailure("queue_unavailable", Step.DELIVERY)


def _path(key: RecordKey, intent_id: str) -> str:
    return callback_path(contexts.CHANNEL, key.conversation_id, intent_id)


def _signature(token: str, url: str, form: dict[str, str]) -> str:
    validator = RequestValidator(token)  # type: ignore[no-untyped-call]  # the SDK's own
    return str(validator.compute_signature(url, form))  # type: ignore[no-untyped-call]


def _form(recipient: str, sid: str, status: str, code: str) -> dict[str, str]:
    optional = {"ErrorCode": code} if code else {}
    return {
        "AccountSid": TWILIO.account_sid,
        "MessageSid": sid,
        "MessageStatus": "undelivered" if status == "opted_out" else status,
        "To": f"{whatsapp.PREFIX}{recipient}",
        **optional,
    }


EVENT_STOPS = tuple(
    f"{moment}:{call}"
    for call in ("store.read_delivery", "secrets.credentials", "store.record_delivery")
    for moment in ("before", "after")
)
"""Where an events worker can be moved at once."""
ALL_EVENT_FAULTS = [
    f"{call} {fault.name}" for call, faults in EVENT_FAULTS.items() for fault in faults
]
