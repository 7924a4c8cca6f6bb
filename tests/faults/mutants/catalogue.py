"""Every mutant: its mistake, the rules that it can break, and the cases that show it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast

from lambda_src.core import errors
from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import DropReason, Status, Step
from lambda_src.core.delivery.events import (
    EventBatchHandler,
    EventDropped,
    EventRecorder,
    EventResult,
    Reported,
)
from lambda_src.core.delivery.reconciliation import Reconciler
from lambda_src.core.delivery.sending import AtMostOnceSender
from lambda_src.core.delivery.status import FAILURES, EventAction
from lambda_src.core.drafts.composer import MessageComposer
from lambda_src.core.flow import MessageFlow
from lambda_src.core.ledger import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryState,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LeaseManager,
    LedgerRecord,
    SentRecord,
)
from lambda_src.core.models import Answer, ContextObject, Delivery, Outcome, RecordKey
from lambda_src.core.ports import Heartbeat
from lambda_src.core.scheduled_job import ApprovedDrafts, LookupScheduler
from ops.dlq.policy import RedriveDecision
from tests.faults.operator_decisions import Approvals
from tests.faults.rules import Rule
from tests.support import contexts
from tests.support.fake_ledger import Record

# Mutants replace methods whose other parameters their mistake ignores.
# ruff: noqa: ARG001, E501 - and a table's rows are long

P = TypeVar("P")
Alter = Callable[[Any], Any]
"""Takes a handler, on real parts or on fakes, and returns the mutant; it does not change it."""
Method = Callable[..., Any]
"""Replaces a method: its first argument is the mutated part, or the `Around` of a port."""


class Around:
    """Passes every call on to a store or sender, `port`, except those that a mutant replaces."""

    def __init__(self, port: Any, methods: Mapping[str, Method]) -> None:
        self.port = port
        self.pending: dict[Any, tuple[Any, ...]] = {}
        vars(self).update({name: partial(method, self) for name, method in methods.items()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


def around_store(**methods: Method) -> Alter:
    """Replace methods of the ledger's store."""

    def alter(handler: BatchHandler) -> BatchHandler:
        store = handler.flow.leases.store
        around = Around(store, methods)
        return substitute(handler, lambda old: old is store, lambda _: around)

    return alter


def around_sender(send: Method) -> Alter:
    """Replace the vendor's method that sends."""

    def change(old: AtMostOnceSender) -> AtMostOnceSender:
        return replace(old, sender=Around(old.sender, {"send": send}))

    return lambda handler: substitute(handler, lambda old: type(old) is AtMostOnceSender, change)


def override(part: type[Any], **methods: Method) -> Alter:
    mutated = type(part.__name__, (part,), methods)

    def change(old: Any) -> Any:
        return mutated(**{part.name: getattr(old, part.name) for part in fields(old)})

    return lambda handler: substitute(handler, lambda old: type(old) is part, change)


def substitute(part: P, matches: Callable[[Any], bool], change: Callable[[Any], Any]) -> P:
    """Return a copy of a tree of the core's parts in which every matching part is changed."""
    changed: P = _substitute(part, matches, change)
    if changed is part:
        raise LookupError("the handler has no part that the mutant changes")
    return changed


def _substitute(part: Any, matches: Callable[[Any], bool], change: Callable[[Any], Any]) -> Any:
    if matches(part):
        return change(part)
    if not is_dataclass(part) or not type(part).__module__.startswith("lambda_src.core"):
        return part
    old = {field.name: getattr(part, field.name) for field in fields(part)}
    new = {name: _substitute(value, matches, change) for name, value in old.items()}
    return replace(part, **new) if any(new[n] is not old[n] for n in old) else part  # type: ignore[type-var]


def _unfenced(call: str) -> Method:
    """Repeat a refused write in the name of the present owner, as if nothing was checked."""

    def write(store: Around, lease: Lease, *values: Any) -> None:
        try:
            getattr(store.port, call)(lease, *values)
        except ConditionFailed as failed:
            if (found := failed.record) is None:
                raise
            until = found.lease_expires_at
            held = replace(lease, owner=found.owner, attempt=found.attempt, expires_at=until)
            if call == "record_intent":
                # Dated back to when the lease was valid, as the table's condition requires.
                intent, answer = values
                values = (replace(intent, at=min(intent.at, until - 0.001)), answer)
            getattr(store.port, call)(held, *values)

    return write


def _create_later(store: Around, context: ContextObject, lease: Lease) -> None:
    store.pending[lease.owner] = (context, lease)


def _create_with_intent(store: Around, lease: Lease, intent: Intent, answer: Answer) -> None:
    if pending := store.pending.pop(lease.owner, None):
        store.port.create(*pending)
    store.port.record_intent(lease, intent, answer)


def _misread(misread: Callable[[Lease, LedgerRecord], LedgerRecord]) -> Alter:
    """Take a record that prevents acquiring a lease for another one."""

    def acquiring(call: str) -> Method:
        def acquire(store: Around, *arguments: Any) -> None:
            try:
                getattr(store.port, call)(*arguments)
            except ConditionFailed as failed:
                [lease] = [one for one in arguments if isinstance(one, Lease)]
                record = misread(lease, failed.record) if failed.record else None
                raise ConditionFailed(record) from failed

        return acquire

    return around_store(create=acquiring("create"), take_over=acquiring("take_over"))


def _as_held(lease: Lease, found: LedgerRecord) -> LedgerRecord:
    if found.status is not Status.PROCESSING:
        return found
    return replace(found, lease_expires_at=max(found.lease_expires_at, lease.expires_at))


def _held_is_processed(
    flow: MessageFlow, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat
) -> Outcome:
    try:
        return MessageFlow.process(flow, delivery, context, heartbeat)
    except errors.LeaseHeld:
        return Outcome.ALREADY_PROCESSED


def _taken_over_anyway(status: Status) -> Alter:
    """Take a record of some status over like one in `retry`."""

    def acquire(
        leases: LeaseManager, lease: Lease, found: LedgerRecord | None
    ) -> Lease | LedgerRecord:
        if found is None or found.status is not status:
            return LeaseManager._acquire_existing(leases, lease, found)
        try:
            return leases._take_over(lease, found)
        except ConditionFailed as failed:
            return acquire(leases, lease, failed.record)

    return override(LeaseManager, _acquire_existing=acquire)


def _intent_later(store: Around, lease: Lease, intent: Intent, answer: Answer) -> None:
    store.pending[lease.key] = (lease, intent, answer)


def _sent_with_intent(store: Around, key: RecordKey, sent: SentRecord) -> None:
    if pending := store.pending.get(key):
        with suppress(ConditionFailed):  # written already, or the record is another worker's
            store.port.record_intent(*pending)
    store.port.record_sent(key, sent)
    store.pending.pop(key, None)


def _answer_not_used(
    flow: MessageFlow,
    delivery: Delivery,
    context: ContextObject,
    lease: Lease,
    heartbeat: Heartbeat,
) -> None:
    forgotten = replace(lease, answer=None)
    MessageFlow._compose_and_send(flow, delivery, context, forgotten, heartbeat)


def _failed_write_ignored(
    sending: AtMostOnceSender, key: RecordKey, sent: SentRecord, delivery: Delivery
) -> None:
    with suppress(errors.FinalUpdateFailed):
        AtMostOnceSender.record_sent(sending, key, sent, delivery)


def _misjudged(taken: type[errors.ProcessingError], for_: type[errors.ProcessingError]) -> Alter:
    """Take an error of the vendor for another one."""

    def send(sender: Around, *arguments: Any) -> Any:
        try:
            return sender.port.send(*arguments)
        except taken as error:
            raise for_(error.code, error.step, error.detail) from error

    return around_sender(send)


def _unknown_is_sent(sender: Around, *arguments: Any) -> Any:
    try:
        return sender.port.send(*arguments)
    except errors.SendOutcomeUnknown:
        return ""


def _sent_again(sender: Around, *arguments: Any) -> Any:
    try:
        return sender.port.send(*arguments)
    except errors.SendOutcomeUnknown:
        return sender.port.send(*arguments)


def _opt_out_forgotten(store: Around, lease: Lease, failure: Failure) -> None:
    store.port.record_failure(lease, replace(failure, suppresses=False))


def _failures_not_reported(batch: BatchHandler, deliveries: Sequence[Delivery]) -> list[str]:
    BatchHandler.handle(batch, deliveries)
    return []


def _mark_removed(store: Around, lease: Lease, found: LedgerRecord) -> None:
    unapproved = replace(found.drafts, approved_by="")
    store.port.take_over(lease, replace(found, drafts=unapproved))


def _sent_at_once(store: Around, key: RecordKey) -> tuple[LedgerRecord, ...]:
    """Return the related records as if each send had been over when its intent was recorded."""
    return tuple(
        replace(found, intent=replace(found.intent, deadline=found.intent.at - 0.001))
        if found.intent
        else found
        for found in store.port.related_records(key)
    )


def _unlisted_is_unsent(
    part: Reconciler, delivery: Delivery, record: LedgerRecord, code: str
) -> None:
    lease = Lease(record.key, record.owner, record.attempt, 0.0, record.created_at)
    failure = Failure(Status.RETRY, code, Step.SETTLE, "", part.clock())
    part.store.record_failure(lease, failure)
    raise errors.TransientFailure(failure.code, Step.SETTLE)


def _alarm_after_write(
    part: Reconciler, delivery: Delivery, record: LedgerRecord, code: str
) -> None:
    unknown = errors.SendDeclaredUnknown(code, Step.SETTLE)
    failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", part.clock())
    part.store.mark_unknown(record.key, failure, record)
    raise unknown


@dataclass(frozen=True, slots=True)
class Mutant:
    """One of our own handlers with one mistake.

    `of` is the kind of handler, `breaks` has the rules that the mistake can break, `schedule` and
    `cell` a case of the model and of the process faults in which it breaks one. There is no cell of
    what processors do with several conversations, drafts that an operator decides, events and jobs.
    """

    name: str
    what: str
    breaks: frozenset[Rule]
    mutate: Alter
    schedule: str
    cell: str = ""
    of: type[Any] = BatchHandler

    def alter(self, handler: Any) -> Any:
        """Return the mutant of a handler; a handler of another kind is returned as it is."""
        return self.mutate(handler) if type(handler) is self.of else handler


def _foreign_accepted(recorder: EventRecorder, *arguments: Any) -> None:
    try:
        EventRecorder._verify(recorder, *arguments)
    except EventDropped as dropped:
        if dropped.reason is not DropReason.FOREIGN_ACCOUNT:
            raise


def _last_status_taken(
    recorder: EventRecorder, found: DeliveryRecord, *arguments: Any
) -> EventResult:
    def record_delivery(store: Around, _: DeliveryRecord, change: DeliveryChange) -> None:
        store.port.record_delivery(found, change)

    store: Any = Around(recorder.store, {"record_delivery": record_delivery})
    without = replace(found, delivery=DeliveryState())
    return EventRecorder._apply(replace(recorder, store=store), without, *arguments)


def _open_send_ignored(
    recorder: EventRecorder, found: DeliveryRecord, action: EventAction, *arguments: Any
) -> EventResult:
    if action is EventAction.PROVE_SEND:
        return EventResult()
    return EventRecorder._apply(recorder, found, action, *arguments)


def _undelivered_is_unsent(
    recorder: EventRecorder,
    found: DeliveryRecord,
    action: EventAction,
    reported: Reported,
    *rest: Any,
) -> EventResult:
    record, store = found.ledger, cast("Any", recorder.store)
    if record.status is not Status.SENDING or reported.report.status not in FAILURES:
        return EventRecorder._apply(recorder, found, action, reported, *rest)
    lease = Lease(record.key, record.owner, record.attempt, 0.0, record.created_at)
    failure = Failure(Status.RETRY, "undelivered", Step.DELIVERY, "", recorder.clock())
    store.record_failure(lease, failure)
    return EventResult()


def _copy_ignored(flow: MessageFlow, delivery: Delivery) -> Outcome:
    with suppress(errors.ProcessingError):
        return MessageFlow._hand_off(flow, delivery)
    return Outcome.HELD


def _checked_again(
    composer: MessageComposer, delivery: Delivery, context: ContextObject, lease: Lease, *rest: Any
) -> Answer | HeldDraft:
    forgotten = replace(lease, drafts=replace(lease.drafts, approved_by=""))
    return MessageComposer.reuse(composer, delivery, context, forgotten, *rest)


def _sent_unchecked(
    composer: MessageComposer, question: Any, answer: Answer, **is_stored: bool
) -> Answer:
    return answer if is_stored else MessageComposer._checked(composer, question, answer)


def _in_any_template(
    composer: MessageComposer, delivery: Delivery, context: ContextObject, lease: Lease, *rest: Any
) -> Answer | HeldDraft:
    if lease.answer and lease.drafts.approved_by:
        return lease.answer
    return MessageComposer.reuse(composer, delivery, context, lease, *rest)


def _whatever_is_held(
    approvals: Approvals, key: RecordKey, draft: HeldDraft, *arguments: Any
) -> None:
    present = approvals.read(key) or draft
    Approvals.approve(approvals, key, replace(present, answer=draft.answer), *arguments)


def _copies_listed(approvals: Approvals, now: float) -> list[RecordKey]:
    copied = {contexts.parser(body).key for body in approvals.copies}
    return [key for key in Approvals.list_held(approvals, now) if key in copied]


def _rejection_released(approvals: Approvals, record: Record) -> RedriveDecision:
    decision = Approvals.redrive_decision(approvals, record)
    is_rejected = decision is RedriveDecision.REJECTED_BY_OPERATOR
    return RedriveDecision.RELEASE if is_rejected else decision


def _thread_kept(approvals: Approvals, key: RecordKey, draft: HeldDraft, decision: str) -> Answer:
    answer = Approvals.compose(approvals, key, draft, decision)
    return replace(answer, thread_id=draft.answer.thread_id)


UNFENCED = {
    name: _unfenced(name)
    for name in ("renew", "checkpoint_answer", "record_intent", "record_failure")
}

DELIVERED = "arrive 0; deliver 1"
FAILING_SEND = f"{DELIVERED}; fail_at 0 sender.send"
UNLISTED = f"begin 10 0 0 1; lag; {FAILING_SEND} accepted-answer-lost"
TWO_AT_THE_AI = "arrive 0; arrive 0; deliver 1; run_to 0 before:generator.generate"
WORKED = "work 1; finish events"
POSTED = f"post -1 0; {WORKED}"
DRAFT_HELD = f"write_badly 2 0; {DELIVERED}; finish 0"
SHOWN = f"{DRAFT_HELD}; show 0 0"
KILLED_AT_THE_AI = f"{DELIVERED}; kill_at 0 before:generator.generate"

SENDS = "first contact / twilio.POST Messages#1"
NOT_LISTED = "declared unknown, yet sent / dynamodb.UpdateItem#1 / killed after"
AT_THE_AI = "first contact / openai.POST responses#1 / killed before"

BOTH_SHOWN = "kill_at 0 after:hand_off.put; show 0 0; show 1 0"
"""A new container, which has cached no secret, gets the next message."""

LATE_WORKER = "old_record 0 1; deliver 1; redeliver 0; run_to -1 after:mapping.delete; show 1 0; decide 1 edit 1"
"""What one worker held is approved, before another one acquires it whose queue message is deleted."""
ANSWER_LOST = "fail_at 0 sender.send accepted-answer-lost"
SWAPPED = (
    "begin 5 1 0 0 0 1; arrive 1; arrive 0; write_badly 2 0; deliver 1; deliver 1; "
    f"run_to 0 after:store.record_intent; wait 1; fail_at 1 sender.send accepted-answer-lost; {ANSWER_LOST}"
)
"""Two messages of one text are sent in another order than their intents; both answers are lost."""
BAD = f"write_badly 2 0; {DELIVERED}"

LOST = frozenset(
    {Rule.DELETED_ONLY_IF_SENT, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END, Rule.APPROVAL_SUFFICES}
)
"""Deleted before its end: not sent, or sent and never recorded."""
DUPLICATED = frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE})
"""Sent again, after a record without a message."""
FALSE = frozenset({Rule.FORGERY_HAS_NO_EFFECT, Rule.RECORD_IS_TRUE, Rule.CALLBACK_PROVES})
"""What a stranger reports is recorded."""
OVERTAKEN = DUPLICATED | {Rule.SILENT_WITHOUT_LEASE}
"""Sent by two workers, the first of which does not notice the second."""

# fmt: off
_ALL = (
    Mutant("no_fence", "A worker's writes do not require owner, attempt and lease.",
           OVERTAKEN, around_store(**UNFENCED),
           f"{TWO_AT_THE_AI}; wait 95; redeliver 0; run_to -1 before:generator.generate; finish 0"),
    Mutant("unclaimed", "Nothing is written before the AI is asked.",
           frozenset({Rule.AI_NOT_ASKED_AGAIN, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}), around_store(create=_create_later, record_intent=_create_with_intent),
           "arrive 0; arrive 0",
           cell=f"{SENDS} / throttled / redelivered"),
    Mutant("busy_acknowledged", "A duplicate is acknowledged while another worker is at work.",
           LOST, override(MessageFlow, process=_held_is_processed),
           f"{TWO_AT_THE_AI}; deliver 1; finish -1",
           cell=f"{AT_THE_AI} / concurrent duplicate"),
    Mutant("lease_not_renewed", "A lease is not renewed while the AI writes for longer than it lasts.",
           frozenset({Rule.SENT_IN_THE_END}), around_store(renew=lambda *_: None),
           "begin 10 0 1 0; arrive 0",
           cell="long work / dynamodb.UpdateItem#1 / server error / redelivered"),
    Mutant("lapsed_lease_kept", "A conversation whose worker died is never taken over.",
           frozenset({Rule.SENT_IN_THE_END}), _misread(_as_held),
           KILLED_AT_THE_AI,
           cell="last delivery / sqs.GetQueueAttributes#1 / killed before / redelivered"),
    Mutant("exists_is_done", "A record that exists is taken for a message that was sent, and acknowledged.",
           LOST, _misread(lambda _lease, found: replace(found, status=Status.SENT)), KILLED_AT_THE_AI,
           cell=f"{AT_THE_AI} / redelivered"),
    Mutant("resend_on_unknown", "A record in `sending` is taken over and its message sent again.",
           OVERTAKEN, _taken_over_anyway(Status.SENDING),
           f"{FAILING_SEND} accepted-answer-lost",
           cell=f"{SENDS} / killed after / redelivered"),
    Mutant("unknown_taken_over", "A record in `send_unknown` is taken over and its message sent without a release.",
           OVERTAKEN, _taken_over_anyway(Status.SEND_UNKNOWN), UNLISTED,
           cell=f"{NOT_LISTED} / late duplicate"),
    Mutant("no_intent", "Nothing is written before the send.", OVERTAKEN, around_store(record_intent=_intent_later, record_sent=_sent_with_intent),
           "arrive 0; deliver 1; kill_at 0 after:sender.send",
           cell=f"{SENDS} / killed after / redelivered"),
    Mutant("answer_not_used", "The AI is asked again although the record holds its answer.",
           frozenset({Rule.AI_NOT_ASKED_AGAIN}), override(MessageFlow, _compose_and_send=_answer_not_used),
           f"{FAILING_SEND} twilio_20429",
           cell=f"{SENDS} / throttled / redelivered"),
    Mutant("stall_ignored", "A worker that was delayed after its intent sends, whatever was decided meanwhile.",
           frozenset({Rule.RECORD_IS_TRUE, Rule.SILENT_WITHOUT_LEASE}), override(AtMostOnceSender, _is_too_late=lambda *_: False),
           f"begin 2 0 0 0; {DELIVERED}; run_to 0 after:store.record_intent; wait 20; redeliver 0; finish -1; operator 0"),
    Mutant("send_repeated", "A send whose answer was lost is repeated at once, as SDKs do.",
           DUPLICATED, around_sender(_sent_again),
           f"{FAILING_SEND} accepted-answer-lost",
           cell=f"{SENDS} / answer lost / alone"),
    Mutant("unknown_is_unsent", "A send with an unknown outcome is recorded as `retry`.",
           DUPLICATED, _misjudged(errors.SendOutcomeUnknown, errors.TransientFailure),
           f"{FAILING_SEND} accepted-answer-lost",
           cell=f"{SENDS} / answer lost / alone"),
    Mutant("unknown_is_failed", "A send with an unknown outcome is recorded as `failed`.",
           frozenset({Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}), _misjudged(errors.SendOutcomeUnknown, errors.PermanentFailure),
           f"{FAILING_SEND} accepted-answer-lost",
           cell=f"{SENDS} / answer lost / alone"),
    Mutant("unknown_is_sent", "A send with an unknown outcome is recorded as sent, and acknowledged.",
           LOST, around_sender(_unknown_is_sent),
           f"{FAILING_SEND} never-arrived",
           cell=f"{SENDS} / answer lost / alone"),
    Mutant("passing_is_failed", "A temporary failure of a vendor is recorded as `failed`.",
           frozenset({Rule.SENT_IN_THE_END}), _misjudged(errors.TransientFailure, errors.PermanentFailure),
           f"{FAILING_SEND} twilio_20429",
           cell=f"{SENDS} / throttled / redelivered"),
    Mutant("failed_write_ignored", "A final write that failed is ignored, and the message acknowledged.",
           frozenset({Rule.RECORD_IS_TRUE}), override(AtMostOnceSender, record_sent=_failed_write_ignored),
           f"{DELIVERED}; fail_at 0 store.record_sent ledger_refused",
           cell="first contact / dynamodb.UpdateItem#3 / refused / redelivered"),
    Mutant("opt_out_forgotten", "A recipient who opted out is not suppressed: the next conversation is begun.",
           frozenset({Rule.OPT_OUT_IS_HEEDED}), around_store(record_failure=_opt_out_forgotten),
           f"{FAILING_SEND} twilio_21610; finish 0; arrive 1"),
    Mutant("failures_not_reported", "No failure is reported, so that the queue deletes every message.",
           LOST, override(BatchHandler, handle=_failures_not_reported),
           "arrive 0; deliver 1; fail_at 0 generator.generate openai_500",
           cell=f"{SENDS} / throttled / alone"),
    Mutant("absent_is_unsent", "A send that the vendor does not list is released without an operator.",
           DUPLICATED, override(Reconciler, _mark_unknown=_unlisted_is_unsent), UNLISTED,
           cell=f"{NOT_LISTED} / alone"),
    Mutant("alarm_after_write", "An unknown send is recorded first, and the alarm raised after.",
           frozenset({Rule.RECORD_IS_TRUE}), override(Reconciler, _mark_unknown=_alarm_after_write),
           f"begin 2 0 0 0; {FAILING_SEND} never-arrived; finish 0; wait_for_queue; deliver 1; kill_at 0 after:store.mark_unknown",
           cell="declared unknown / dynamodb.UpdateItem#1 / killed after / redelivered"),
    Mutant("others_ignored", "The sid of another conversation's message of the same text is recorded.",
           LOST, around_store(related_records=lambda *_: ()),
           f"arrive 1; {FAILING_SEND} never-arrived"),
    Mutant("ordered_by_intent", "Messages of one text are assigned by their intents, even if both sends were in progress.",
           frozenset({Rule.RECORD_IS_TRUE}), around_store(related_records=_sent_at_once),
           SWAPPED),
    Mutant("not_verified", "A callback's signature and account are not verified.",
           FALSE, override(EventRecorder, _verify=lambda *_: None),
           f"{DELIVERED}; finish 0; forge 0 0 read; {WORKED}", of=EventBatchHandler),
    Mutant("foreign_accepted", "Another tenant's callback is accepted if its signature is that tenant's.",
           FALSE, override(EventRecorder, _verify=_foreign_accepted),
           f"{FAILING_SEND} never-arrived; finish 0; forge 0 1 sent; {WORKED}", of=EventBatchHandler),
    Mutant("last_status_taken", "The status that was reported last is recorded, whatever was reported before.",
           frozenset({Rule.STATUS_ADVANCES, Rule.FOUND_WITHIN_A_DAY}), override(EventRecorder, _apply=_last_status_taken),
           f"{DELIVERED}; finish 0; report 0 sent; report 0 delivered; {POSTED}; {POSTED}", of=EventBatchHandler),
    Mutant("open_send_ignored", "A callback about an open send is acknowledged and changes nothing.",
           frozenset({Rule.CALLBACK_PROVES}), override(EventRecorder, _apply=_open_send_ignored),
           f"{FAILING_SEND} accepted-answer-lost; finish 0; report 0 sent; {POSTED}", of=EventBatchHandler),
    Mutant("undelivered_is_unsent", "A callback that an open send was not delivered releases it to be sent again.",
           DUPLICATED | {Rule.CALLBACK_PROVES, Rule.CALLBACK_SENDS_NOTHING}, override(EventRecorder, _apply=_undelivered_is_unsent),
           f"{FAILING_SEND} accepted-answer-lost; finish 0; report 0 undelivered; {POSTED}", of=EventBatchHandler),
    Mutant("never_looked_up", "No lookup is requested.",
           frozenset({Rule.FOUND_WITHIN_A_DAY}), override(LookupScheduler, _request=lambda *_: None),
           f"{DELIVERED}; finish 0", of=LookupScheduler),
    Mutant("looked_up_once", "The vendor is asked once, whatever it answers.",
           frozenset({Rule.FOUND_WITHIN_A_DAY}), override(EventRecorder, _lookup_at=lambda *_, **__: None),
           "arrive 0; arrive 2; deliver 2; finish 0", of=EventBatchHandler),
    Mutant("held_unfenced", "A draft is held without the condition of the lease.",
           OVERTAKEN, around_store(hold_draft=_unfenced("hold_draft")),
           f"{BAD}; run_to 0 before:store.hold_draft; wait 95; redeliver 0; run_to -1 before:generator.generate; finish 0"),
    Mutant("copy_ignored", "A held message is acknowledged although its copy was not put on the hand-off queue.",
           LOST, override(MessageFlow, _hand_off=_copy_ignored),
           f"{BAD}; fail_at 0 hand_off.put hand_off_unavailable; finish 0",
           cell="draft held / sqs.SendMessage#1 / server error / alone"),
    Mutant("problem_not_stored", "That the AI's first answer failed is not stored before the second request.",
           frozenset({Rule.TWO_REQUESTS}), around_store(reject_draft=lambda *_: None),
           f"{BAD}; run_to 0 after:generator.generate; advance 0 0 1; fail_at 0 generator.generate openai_500; finish 0",
           cell="draft held / openai.POST responses#2 / throttled / redelivered"),
    Mutant("approved_checked", "An approved text is checked and reviewed like any other.",
           frozenset({Rule.SENT_AS_APPROVED, Rule.APPROVAL_SUFFICES}), override(MessageComposer, reuse=_checked_again),
           f"{SHOWN}; decide 0 edit_badly 0"),
    Mutant("any_template", "An approved text is sent although the template has changed.",
           frozenset({Rule.SENT_AS_APPROVED}), override(MessageComposer, reuse=_in_any_template),
           f"{SHOWN}; change_template; kill 0; decide 0 approve 0"),
    Mutant("stored_unchecked", "A stored answer is sent without the stamp of its checks.",
           frozenset({Rule.ONLY_APPROVED}), override(MessageComposer, _checked=_sent_unchecked),
           "old_record 0 1"),
    Mutant("approvals_not_queued", "The scheduled job does not queue what was approved.",
           frozenset({Rule.APPROVAL_SUFFICES}), override(ApprovedDrafts, _queue=lambda *_: False),
           f"{SHOWN}; decide 0 approve 1", of=ApprovedDrafts),
    Mutant("mark_removed", "The worker that acquires an approved message removes its mark at once.",
           frozenset({Rule.APPROVAL_SUFFICES}), around_store(take_over=_mark_removed),
           f"{LATE_WORKER}; kill_at 0 after:store.take_over"),
    Mutant("any_draft_approved", "An approval applies to whatever draft waits, not to the one that was shown.",
           frozenset({Rule.CAN_BE_DECIDED, Rule.SENT_AS_APPROVED}), override(Approvals, approve=_whatever_is_held),
           f"{BAD}; {BOTH_SHOWN}; change_template; decide 1 edit 0; deliver 1; finish 0; decide 0 approve 0", of=Approvals),
    Mutant("copies_listed", "Drafts are listed from the hand-off queue, whose copies expire.",
           frozenset({Rule.CAN_BE_DECIDED}), override(Approvals, list_held=_copies_listed),
           f"{DRAFT_HELD}; expire", of=Approvals),
    Mutant("rejection_released", "A redrive releases a conversation whose draft was rejected.",
           frozenset({Rule.REJECTION_IS_FINAL, Rule.TWO_REQUESTS}), override(Approvals, redrive_decision=_rejection_released),
           "begin 2 0 0 0; old_record 0 1; deliver 1; finish 0; show 0 0; decide 0 reject 0; arrive 0", of=Approvals),
    Mutant("thread_kept", "The record of an edited text names the AI's conversation, which does not contain it.",
           frozenset({Rule.RECORD_IS_TRUE}), override(Approvals, compose=_thread_kept),
           f"{SHOWN}; decide 0 edit 0", of=Approvals),
)
# fmt: on

MUTANTS = {mutant.name: mutant for mutant in _ALL}
"""Every mutant by its name."""
