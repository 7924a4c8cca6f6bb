"""Every mutant: its mistake, the rules that it can break, and the cases that show it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from lambda_src.core import errors, ledger
from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import Status, Step
from lambda_src.core.delivery.reconciliation import Reconciler
from lambda_src.core.delivery.sending import AtMostOnceSender
from lambda_src.core.flow import MessageFlow
from lambda_src.core.ledger import ConditionFailed, Failure, Intent, Lease, LedgerRecord, SentRecord
from lambda_src.core.models import Answer, ContextObject, Delivery, Outcome, RecordKey
from lambda_src.core.ports import Heartbeat, Sender
from tests.faults.model import schedules
from tests.faults.rules import Rule

# Mutants override methods whose other parameters their mistake ignores.
# ruff: noqa: ARG002, E501 - and a table's rows are long

P = TypeVar("P")
Alter = Callable[[BatchHandler], BatchHandler]
"""Takes a handler, on real parts or on fakes, and returns the mutant; it does not change it."""


class _Around:
    """A store or a sender that passes every call on; mutants break one of them."""

    def __init__(self, port: Any) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


class _Unfenced(_Around):
    """Repeat a refused write in the name of the present owner, as if nothing was checked."""

    def renew(self, lease: Lease, expires_at: float) -> None:
        self._write(lease, lambda held: self.port.renew(held, expires_at))

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        self._write(lease, lambda held: self.port.checkpoint_answer(held, answer))

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        def write(held: Lease) -> None:
            # Dated back to when the lease was valid, as the table's condition requires.
            at = min(intent.at, held.expires_at - 0.001)
            self.port.record_intent(held, replace(intent, at=at), answer)

        self._write(lease, write)

    def record_failure(self, lease: Lease, failure: Failure) -> None:
        self._write(lease, lambda held: self.port.record_failure(held, failure))

    @staticmethod
    def _write(lease: Lease, write: Callable[[Lease], None]) -> None:
        try:
            write(lease)
        except ConditionFailed as failed:
            if (found := failed.record) is None:
                raise
            until = found.lease_expires_at
            write(replace(lease, owner=found.owner, attempt=found.attempt, expires_at=until))


class _Unacquired(_Around):
    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._pending: dict[str, tuple[ContextObject, Lease]] = {}

    def create(self, context: ContextObject, lease: Lease) -> None:
        self._pending[lease.owner] = (context, lease)

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        if pending := self._pending.pop(lease.owner, None):
            self.port.create(*pending)
        self.port.record_intent(lease, intent, answer)


class _NeverRenewed(_Around):
    def renew(self, lease: Lease, expires_at: float) -> None:
        pass


class _Misread(_Around):
    """Take a record that prevents acquiring a lease for another one."""

    def __init__(self, port: Any, misread: Callable[[Lease, LedgerRecord], LedgerRecord]) -> None:
        super().__init__(port)
        self._misread = misread

    def create(self, context: ContextObject, lease: Lease) -> None:
        with self._misreading(lease):
            self.port.create(context, lease)

    def take_over(self, lease: Lease, found: LedgerRecord) -> None:
        with self._misreading(lease):
            self.port.take_over(lease, found)

    @contextmanager
    def _misreading(self, lease: Lease) -> Iterator[None]:
        try:
            yield
        except ConditionFailed as failed:
            record = self._misread(lease, failed.record) if failed.record else None
            raise ConditionFailed(record) from failed


def _as_held(lease: Lease, found: LedgerRecord) -> LedgerRecord:
    if found.status is not Status.PROCESSING:
        return found
    return replace(found, lease_expires_at=max(found.lease_expires_at, lease.expires_at))


def _as_sent(_lease: Lease, found: LedgerRecord) -> LedgerRecord:
    return replace(found, status=Status.SENT)


class _HeldIsProcessed(MessageFlow):
    def process(self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat) -> Outcome:
        try:
            return super().process(delivery, context, heartbeat)
        except errors.LeaseHeld:
            return Outcome.ALREADY_PROCESSED


class _TakenOverAnyway(ledger.LeaseManager):
    """Take a record of some status over like one in `retry`."""

    taken_over: ClassVar[Status]

    def _acquire_existing(self, lease: Lease, found: LedgerRecord | None) -> Lease | LedgerRecord:
        if found is None or found.status is not self.taken_over:
            return super()._acquire_existing(lease, found)
        try:
            return self._take_over(lease, found)
        except ConditionFailed as failed:
            return self._acquire_existing(lease, failed.record)


class _SendingTakenOver(_TakenOverAnyway):
    taken_over = Status.SENDING


class _UnknownTakenOver(_TakenOverAnyway):
    taken_over = Status.SEND_UNKNOWN


class _NoIntent(_Around):
    """Write the intent only right before the final write, which needs one."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._pending: dict[RecordKey, tuple[Lease, Intent, Answer]] = {}

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        self._pending[lease.key] = (lease, intent, answer)

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        if pending := self._pending.get(key):
            with suppress(ConditionFailed):  # written already, or the record is another worker's
                self.port.record_intent(*pending)
        self.port.record_sent(key, sent)
        self._pending.pop(key, None)


class _AnswerNotUsed(MessageFlow):
    def _compose_and_send(
        self, delivery: Delivery, context: ContextObject, lease: Lease, heartbeat: Heartbeat
    ) -> None:
        super()._compose_and_send(delivery, context, replace(lease, answer=None), heartbeat)


class _DelayIgnored(AtMostOnceSender):
    def _is_too_late(self, intent: Intent) -> bool:
        return False


class _FailedWriteIgnored(AtMostOnceSender):
    def record_sent(self, key: RecordKey, sent: SentRecord, delivery: Delivery) -> None:
        with suppress(errors.FinalUpdateFailed):
            super().record_sent(key, sent, delivery)


class _Misjudged(_Around):
    """Take an error of the vendor for another one."""

    def __init__(
        self, port: Any, taken: type[errors.ProcessingError], for_: type[errors.ProcessingError]
    ) -> None:
        super().__init__(port)
        self._taken, self._for = taken, for_

    def send(self, *arguments: Any) -> Any:
        try:
            return self.port.send(*arguments)
        except self._taken as error:
            raise self._for(error.code, error.step, error.detail) from error


class _UnknownIsSent(_Around):
    def send(self, *arguments: Any) -> Any:
        try:
            return self.port.send(*arguments)
        except errors.SendOutcomeUnknown:
            return ""


class _SentAgain(_Around):
    def send(self, *arguments: Any) -> Any:
        try:
            return self.port.send(*arguments)
        except errors.SendOutcomeUnknown:
            return self.port.send(*arguments)


class _OptOutForgotten(_Around):
    def record_failure(self, lease: Lease, failure: Failure) -> None:
        self.port.record_failure(lease, replace(failure, suppresses=False))


class _FailuresNotReported(BatchHandler):
    def handle(self, deliveries: Sequence[Delivery]) -> list[str]:
        super().handle(deliveries)
        return []


class _RelatedIgnored(_Around):
    def related_records(self, key: RecordKey) -> tuple[LedgerRecord, ...]:
        return ()


class _UnlistedIsUnsent(Reconciler):
    def _mark_unknown(self, delivery: Delivery, record: LedgerRecord) -> None:
        lease = Lease(record.key, record.owner, record.attempt, 0.0, record.created_at)
        failure = Failure(Status.RETRY, "not_found_at_vendor", Step.SETTLE, "", self.clock())
        self.store.record_failure(lease, failure)
        raise errors.TransientFailure(failure.code, Step.SETTLE)


class _AlarmAfterWrite(Reconciler):
    def _mark_unknown(self, delivery: Delivery, record: LedgerRecord) -> None:
        unknown = errors.SendDeclaredUnknown("not_found_at_vendor", Step.SETTLE)
        failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", self.clock())
        self.store.mark_unknown(record.key, failure, record)
        raise unknown


@dataclass(frozen=True, slots=True)
class Mutant:
    """Our own handler with one mistake.

    `breaks` has the rules that the mistake can break, `schedule` and `cell` a rule and a case of
    the model and of the process faults in which it is broken; `no_cell` says why there is none.
    """

    name: str
    what: str
    breaks: frozenset[Rule]
    alter: Alter
    schedule: tuple[Rule, str]
    cell: tuple[Rule, str] | None = None
    no_cell: str = ""


def recast(kind: type[Any]) -> Alter:
    """Replace every part of which `kind` is a subclass by that subclass."""
    part = kind.__mro__[-2] if kind.__mro__[-2].__module__.startswith("lambda_src") else kind
    _check_overrides(kind, part)

    def change(old: Any) -> Any:
        return kind(**{field.name: getattr(old, field.name) for field in fields(old)})

    return lambda handler: substitute(handler, lambda old: type(old) is part, change)


def _around_store(kind: Callable[..., _Around], *arguments: Any) -> Alter:
    _check_overrides(kind, ledger.LedgerStore)

    def alter(handler: BatchHandler) -> BatchHandler:
        store = handler.flow.leases.store
        around = kind(store, *arguments)
        return substitute(handler, lambda old: old is store, lambda _: around)

    return alter


def _around_sender(kind: Callable[..., _Around], *arguments: Any) -> Alter:
    _check_overrides(kind, Sender)

    def change(old: AtMostOnceSender) -> AtMostOnceSender:
        return replace(old, sender=kind(old.sender, *arguments))

    return lambda handler: substitute(handler, lambda old: type(old) is AtMostOnceSender, change)


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


def _check_overrides(kind: Any, part: type) -> None:
    """Check that every method of the mutant replaces one of the original."""
    own = [c for c in kind.__mro__ if c.__module__ == __name__]
    names = {n for c in own for n, v in vars(c).items() if callable(v) and not n.startswith("__")}
    if missing := sorted(n for n in names - {"_misreading", "_write"} if not hasattr(part, n)):
        raise TypeError(f"{kind.__name__}: {part.__name__} has no {', '.join(missing)}")


UNKNOWN_AS_UNSENT = (errors.SendOutcomeUnknown, errors.TransientFailure)
UNKNOWN_AS_FAILED = (errors.SendOutcomeUnknown, errors.PermanentFailure)
TRANSIENT_AS_PERMANENT = (errors.TransientFailure, errors.PermanentFailure)

SENDS = "first contact / twilio.POST Messages#1"
NOT_LISTED = "declared unknown, yet sent / dynamodb.UpdateItem#1 / killed after"
AT_THE_AI = "first contact / openai.POST responses#1 / killed before"

LOST = frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END})
"""Deleted before its end: not sent, or sent and never recorded."""
DUPLICATED = frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE})
"""Sent again, after a record without a message."""
OVERTAKEN = DUPLICATED | {Rule.SILENT_WITHOUT_LEASE}
"""Sent by two workers, the first of which does not notice the second."""

# fmt: off
_ALL = (
    Mutant("no_fence", "A worker's writes do not require owner, attempt and lease.",
           OVERTAKEN, _around_store(_Unfenced),
           (Rule.SILENT_WITHOUT_LEASE, f"{schedules.TWO_AT_THE_AI}; wait 95; redeliver 0; run_to -1 before:generator.generate; finish 0"),
           no_cell="the worker that takes over ends before a frozen one goes on"),
    Mutant("unclaimed", "Nothing is written before the AI is asked.",
           frozenset({Rule.AI_NOT_ASKED_AGAIN, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}), _around_store(_Unacquired),
           (Rule.SENT_IN_THE_END, "arrive 0; arrive 0"),
           cell=(Rule.AI_NOT_ASKED_AGAIN, f"{SENDS} / throttled / redelivered")),
    Mutant("busy_acknowledged", "A duplicate is acknowledged while another worker is at work.",
           LOST, recast(_HeldIsProcessed),
           (Rule.DELETED_ONLY_IF_SENT, f"{schedules.TWO_AT_THE_AI}; deliver 1; finish -1"),
           cell=(Rule.DELETED_ONLY_IF_SENT, f"{AT_THE_AI} / concurrent duplicate")),
    Mutant("lease_not_renewed", "A lease is not renewed while the AI writes for longer than it lasts.",
           frozenset({Rule.SENT_IN_THE_END}), _around_store(_NeverRenewed),
           (Rule.SENT_IN_THE_END, "begin 10 0 1 0; arrive 0"),
           cell=(Rule.SENT_IN_THE_END, "long work / dynamodb.UpdateItem#1 / server error / redelivered")),
    Mutant("lapsed_lease_kept", "A conversation whose worker died is never taken over.",
           frozenset({Rule.SENT_IN_THE_END}), _around_store(_Misread, _as_held),
           (Rule.SENT_IN_THE_END, schedules.KILLED_AT_THE_AI),
           cell=(Rule.SENT_IN_THE_END, "last delivery / sqs.GetQueueAttributes#1 / killed before / redelivered")),
    Mutant("exists_is_done", "A record that exists is taken for a message that was sent, and acknowledged.",
           LOST, _around_store(_Misread, _as_sent), (Rule.DELETED_ONLY_IF_SENT, schedules.KILLED_AT_THE_AI),
           cell=(Rule.DELETED_ONLY_IF_SENT, f"{AT_THE_AI} / redelivered")),
    Mutant("resend_on_unknown", "A record in `sending` is taken over and its message sent again.",
           OVERTAKEN, recast(_SendingTakenOver),
           (Rule.AT_MOST_ONCE, f"{schedules.FAILING_SEND} accepted-answer-lost"),
           cell=(Rule.AT_MOST_ONCE, f"{SENDS} / killed after / redelivered")),
    Mutant("unknown_taken_over", "A record in `send_unknown` is taken over and its message sent without a release.",
           OVERTAKEN, recast(_UnknownTakenOver), (Rule.AT_MOST_ONCE, schedules.UNLISTED),
           cell=(Rule.AT_MOST_ONCE, f"{NOT_LISTED} / late duplicate")),
    Mutant("no_intent", "Nothing is written before the send.", OVERTAKEN, _around_store(_NoIntent),
           (Rule.AT_MOST_ONCE, "arrive 0; deliver 1; kill_at 0 after:sender.send"),
           cell=(Rule.AT_MOST_ONCE, f"{SENDS} / killed after / redelivered")),
    Mutant("answer_not_used", "The AI is asked again although the record holds its answer.",
           frozenset({Rule.AI_NOT_ASKED_AGAIN}), recast(_AnswerNotUsed),
           (Rule.AI_NOT_ASKED_AGAIN, f"{schedules.FAILING_SEND} twilio_20429"),
           cell=(Rule.AI_NOT_ASKED_AGAIN, f"{SENDS} / throttled / redelivered")),
    Mutant("stall_ignored", "A worker that was delayed after its intent sends, whatever was decided meanwhile.",
           frozenset({Rule.RECORD_IS_TRUE, Rule.SILENT_WITHOUT_LEASE}), recast(_DelayIgnored),
           (Rule.RECORD_IS_TRUE, f"{schedules.INTENT_RECORDED}; wait 20; redeliver 0; finish -1; operator 0"),
           no_cell="the operator waits for the end of all workers"),
    Mutant("send_repeated", "A send whose answer was lost is repeated at once, as SDKs do.",
           DUPLICATED, _around_sender(_SentAgain),
           (Rule.AT_MOST_ONCE, f"{schedules.FAILING_SEND} accepted-answer-lost"),
           cell=(Rule.AT_MOST_ONCE, f"{SENDS} / answer lost / alone")),
    Mutant("unknown_is_unsent", "A send with an unknown outcome is recorded as `retry`.",
           DUPLICATED, _around_sender(_Misjudged, *UNKNOWN_AS_UNSENT),
           (Rule.RECORD_IS_TRUE, f"{schedules.FAILING_SEND} accepted-answer-lost"),
           cell=(Rule.RECORD_IS_TRUE, f"{SENDS} / answer lost / alone")),
    Mutant("unknown_is_failed", "A send with an unknown outcome is recorded as `failed`.",
           frozenset({Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}), _around_sender(_Misjudged, *UNKNOWN_AS_FAILED),
           (Rule.RECORD_IS_TRUE, f"{schedules.FAILING_SEND} accepted-answer-lost"),
           cell=(Rule.RECORD_IS_TRUE, f"{SENDS} / answer lost / alone")),
    Mutant("unknown_is_sent", "A send with an unknown outcome is recorded as sent, and acknowledged.",
           LOST, _around_sender(_UnknownIsSent),
           (Rule.RECORD_IS_TRUE, f"{schedules.FAILING_SEND} never-arrived"),
           cell=(Rule.RECORD_IS_TRUE, f"{SENDS} / answer lost / alone")),
    Mutant("passing_is_failed", "A temporary failure of a vendor is recorded as `failed`.",
           frozenset({Rule.SENT_IN_THE_END}), _around_sender(_Misjudged, *TRANSIENT_AS_PERMANENT),
           (Rule.SENT_IN_THE_END, f"{schedules.FAILING_SEND} twilio_20429"),
           cell=(Rule.SENT_IN_THE_END, f"{SENDS} / throttled / redelivered")),
    Mutant("failed_write_ignored", "A final write that failed is ignored, and the message acknowledged.",
           frozenset({Rule.RECORD_IS_TRUE}), recast(_FailedWriteIgnored),
           (Rule.RECORD_IS_TRUE, schedules.UNRECORDED),
           cell=(Rule.RECORD_IS_TRUE, "first contact / dynamodb.UpdateItem#3 / refused / redelivered")),
    Mutant("opt_out_forgotten", "A recipient who opted out is not suppressed: the next conversation is begun.",
           frozenset({Rule.OPT_OUT_IS_HEEDED}), _around_store(_OptOutForgotten),
           (Rule.OPT_OUT_IS_HEEDED, schedules.OPTED_OUT), no_cell="a cell has one conversation"),
    Mutant("failures_not_reported", "No failure is reported, so that the queue deletes every message.",
           LOST, recast(_FailuresNotReported),
           (Rule.DELETED_ONLY_IF_SENT, "arrive 0; deliver 1; fail_at 0 generator.generate openai_500"),
           cell=(Rule.DELETED_ONLY_IF_SENT, f"{SENDS} / throttled / alone")),
    Mutant("absent_is_unsent", "A send that the vendor does not list is released without an operator.",
           DUPLICATED, recast(_UnlistedIsUnsent), (Rule.RECORD_IS_TRUE, schedules.UNLISTED),
           cell=(Rule.RECORD_IS_TRUE, f"{NOT_LISTED} / alone")),
    Mutant("alarm_after_write", "An unknown send is recorded first, and the alarm raised after.",
           frozenset({Rule.RECORD_IS_TRUE}), recast(_AlarmAfterWrite),
           (Rule.RECORD_IS_TRUE, f"{schedules.LAST_LOOKUP}; kill_at 0 after:store.mark_unknown"),
           cell=(Rule.RECORD_IS_TRUE, "declared unknown / dynamodb.UpdateItem#1 / killed after / redelivered")),
    Mutant("others_ignored", "The sid of another conversation's message of the same text is recorded.",
           LOST, _around_store(_RelatedIgnored),
           (Rule.RECORD_IS_TRUE, f"arrive 1; {schedules.FAILING_SEND} never-arrived"),
           no_cell="a cell has one conversation"),
)
# fmt: on

MUTANTS: Mapping[str, Mutant] = MappingProxyType({mutant.name: mutant for mutant in _ALL})
"""Every mutant by its name."""
