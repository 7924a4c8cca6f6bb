"""The conversations table in memory, with the conditions of the real one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any

from lambda_src.core.contract import (
    APPROVED_QUEUED_AFTER_SECONDS,
    APPROVED_QUEUED_AGAIN_AFTER_SECONDS,
    LOOKUP_DELAYS_SECONDS,
    DeliveryStatus,
    OpenWork,
    Status,
    Step,
)
from lambda_src.core.errors import (
    LedgerRefused,
    LedgerUnavailable,
    PermanentFailure,
    RecipientErased,
)
from lambda_src.core.ledger import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryState,
    DraftState,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    RecipientSuppressed,
    RejectedDraft,
    SentRecord,
)
from lambda_src.core.models import Answer, ContextObject, RecordKey
from tests.support.fakes import Fault, FaultPlan, UnexpectedTestError

STEPS = {
    **dict.fromkeys(("create", "take_over", "renew"), Step.CLAIM),
    **dict.fromkeys(("checkpoint_answer", "reject_draft", "clear_discarded"), Step.AI),
    "hold_draft": Step.HOLD,
    "record_intent": Step.SEND,
    **dict.fromkeys(("record_sent", "record_failure", "record_rejection"), Step.RECORD),
    "mark_failed_if_unchanged": Step.RECORD,
    **dict.fromkeys(("count_lookup", "mark_unknown", "related_records"), Step.SETTLE),
    **dict.fromkeys(("read_delivery", "record_delivery", "schedule_lookup"), Step.DELIVERY),
    "suppress": Step.DELIVERY,
}
"""The step that a call's failure names."""
COMMON_FIELDS = {part.name for part in fields(LedgerRecord)} - {"failure_code", "channel"}
"""What `Record` and `LedgerRecord` have in common."""
UNRESOLVED = frozenset({Status.SENDING, Status.SEND_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation as the fake table has it."""

    key: RecordKey
    status: Status
    created_at: float
    owner: str = ""
    attempt: int = 0
    lease_expires_at: float = 0.0
    answer: Answer | None = None
    intent: Intent | None = None
    lookups: int = 0
    vendor_id: str = ""
    failure: Failure | None = None
    sent: SentRecord | None = None
    request_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    intent_ids: tuple[str, ...] = ()
    delivery: DeliveryState = field(default_factory=DeliveryState)
    open_work: tuple[OpenWork, float] | None = None  # what remains to be done, and from when on
    drafts: DraftState = field(default_factory=DraftState)
    held: HeldDraft | None = None

    def ledger_record(self) -> LedgerRecord:
        """Return what a failed condition returns."""
        return LedgerRecord(
            **{name: getattr(self, name) for name in COMMON_FIELDS},
            failure_code=self.failure.code if self.failure else "",
            channel=self.attributes.get("channel_method", ""),
        )

    def delivery_record(self) -> DeliveryRecord:
        """Return what the events worker reads."""
        ledger = self.ledger_record()
        config = self.attributes.get("channel_config", {}).get(ledger.channel, {})
        reference = config.get(f"{ledger.channel}_credentials_id", "")
        ids = self.held.answer.openai_ids if self.held else ()
        found = DeliveryRecord(ledger, self.intent_ids, self.delivery, reference, self.lookup_at)
        return replace(found, draft_ids=ids)

    def stored_attributes(self) -> dict[str, Any]:
        """Return what a context object is rebuilt from."""
        created_at = datetime.fromtimestamp(self.created_at, UTC).isoformat()
        key = self.key.conversation_id
        return {**self.attributes, "conversation_id": key, "created_at": created_at}

    @property
    def lookup_at(self) -> float | None:
        """When the vendor is to be asked for the status."""
        kind, since = self.open_work or (None, None)
        return since if kind is OpenWork.DELIVERY else None


Change = Callable[[Record], Record]


class FakeLedgerStore:
    """Implements the ports on the table and its index, and the operator's decisions about drafts.

    A write is applied whole or not at all.

    Attributes:
        records: The table's content.
        writes: The names of the applied writes, in order.
        before: Called just before the next call of that name, e.g. as another worker.
        suppressed: Recipients who opted out.
        erased: When recipients were erased, in epoch seconds.
    """

    def __init__(self) -> None:
        self.records: dict[RecordKey, Record] = {}
        self.writes: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.suppressed: set[str] = set()
        self.erased: dict[str, float] = {}
        self._faults: FaultPlan[Fault] = FaultPlan()
        self._lock = Lock()

    def fail(self, call: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of that name fail."""
        self._faults.add(call, fault, times)

    def alter(self, key: RecordKey, **changes: Any) -> None:
        """Change a record as another worker might."""
        self.records[key] = replace(self.records[key], **changes)

    def create(self, context: ContextObject, lease: Lease) -> None:
        """Write the first record, if there is none and the recipient may be written to."""
        record = Record(
            *(context.key, Status.PROCESSING, lease.started_at),
            **_held_by(lease),
            request_id=context.request_id,
            attributes=context.attributes,
        )
        self._put("create", record, partial(self._check_recipient, lease))

    def take_over(self, lease: Lease, found: LedgerRecord) -> None:
        """Write a new lease into an unchanged record, if the recipient may be written to."""
        check = partial(self._check_recipient, lease)
        due = _ms(lease.started_at + APPROVED_QUEUED_AGAIN_AFTER_SECONDS)
        mark = (OpenWork.APPROVED, due) if found.drafts.approved_by else None
        changes = _set(status=Status.PROCESSING, open_work=mark, **_held_by(lease))
        self._update("take_over", lease.key, _unchanged(found), changes, check)

    def renew(self, lease: Lease, expires_at: float) -> None:
        """Extend the lease, while `processing` under the same lease."""
        self._update_ours("renew", lease, _set(lease_expires_at=_ms(expires_at)))

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Store the answer, while `processing` under the same lease."""

        def change(found: Record) -> Record:
            return replace(found, answer=answer, drafts=replace(found.drafts, rejected=None))

        self._update_ours("checkpoint_answer", lease, change)

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:
        """Store the first answer's problem, while `processing` under the same lease."""

        def change(found: Record) -> Record:
            kept = _with_discarded(found, rejected.openai_ids)
            return replace(kept, drafts=replace(kept.drafts, rejected=rejected))

        self._update_ours("reject_draft", lease, change)

    def clear_discarded(self, lease: Lease) -> None:
        """Forget the discarded conversations, while `processing` under the same lease."""

        def change(found: Record) -> Record:
            return replace(found, drafts=replace(found.drafts, discarded_threads=()))

        self._update_ours("clear_discarded", lease, change)

    def hold_draft(self, lease: Lease, draft: HeldDraft) -> None:
        """Change `processing` to `awaiting_approval`, and store the draft."""
        state: dict[str, Any] = {
            "rejected": None,
            "template_id": draft.template_id,
            "held_id": draft.id,
        }
        ended = _set(status=Status.AWAITING_APPROVAL, held=draft, answer=None, failure=None)

        def change(found: Record) -> Record:
            drafts, work = replace(found.drafts, **state), (OpenWork.HELD, _ms(draft.at))
            return replace(ended(found), drafts=drafts, open_work=work, lease_expires_at=0.0)

        self._update_ours("hold_draft", lease, change)

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        """Change `processing` to `sending`, while the lease is valid."""
        is_ours = _with_lease(lease, Status.PROCESSING)
        stored = Intent(_ms(intent.at), _ms(intent.deadline), intent.id)
        sending = _set(status=Status.SENDING, intent=stored, answer=answer, lookups=0)

        def change(found: Record) -> Record:
            drafts, ids = replace(found.drafts, rejected=None), (*found.intent_ids, stored.id)
            return replace(sending(found), drafts=drafts, intent_ids=ids)

        def is_valid(found: Record) -> bool:
            return is_ours(found) and found.lease_expires_at > stored.at

        self._update("record_intent", lease.key, is_valid, change)

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the vendor_id, while `sending` or `send_unknown`."""
        lookup = (OpenWork.DELIVERY, _ms(sent.sent_at + LOOKUP_DELAYS_SECONDS[0]))

        def change(found: Record) -> Record:
            queued = replace(found.delivery, status=found.delivery.status or DeliveryStatus.QUEUED)
            after = _as_sent(found, sent.vendor_id)
            return replace(after, sent=sent, delivery=queued, open_work=lookup)

        self._update("record_sent", key, lambda found: found.status in UNRESOLVED, change)

    def record_failure(self, lease: Lease, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` under the same lease."""
        is_ours = _with_lease(lease, Status.PROCESSING, Status.SENDING, failure.status)
        recipients = {lease.key.primary_channel} if failure.suppresses else set()

        def change(found: Record) -> Record:
            kept = _with_discarded(found, failure.openai_ids)
            work = None if failure.status is Status.FAILED else kept.open_work
            return replace(kept, status=failure.status, failure=failure, open_work=work)

        suppress = partial(self.suppressed.update, recipients)
        self._update("record_failure", lease.key, is_ours, change, suppress)

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, requested_at: float
    ) -> None:
        """Write `failed` for a rejected context object, unless a record exists."""
        record = Record(key, failure.status, failure.at, failure=failure, request_id=request_id)
        self._put("record_rejection", record, partial(self._check_erasure, key, requested_at))

    def mark_failed_if_unchanged(self, found: LedgerRecord, failure: Failure) -> None:
        """Write `failed` into an unchanged record without a lease."""
        changes = _set(status=failure.status, failure=failure, open_work=None)
        self._update("mark_failed_if_unchanged", found.key, _unchanged(found), changes)

    def count_lookup(self, key: RecordKey, found: LedgerRecord) -> None:
        """Count one more lookup of an unresolved send."""
        is_same, changes = _of_owner(found, Status.SENDING), _set(lookups=found.lookups + 1)
        self._update("count_lookup", key, is_same, changes)

    def mark_unknown(self, key: RecordKey, failure: Failure, found: LedgerRecord) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""
        work = (OpenWork.UNKNOWN, _ms(failure.at))
        changes = _set(status=failure.status, failure=failure, open_work=work)
        self._update("mark_unknown", key, _of_owner(found, *UNRESOLVED), changes)

    def related_records(self, key: RecordKey) -> tuple[LedgerRecord, ...]:
        """Return the recipient's other conversations that have a vendor_id, or may yet get one."""
        _raise_fault("related_records", self._faults.pop("related_records"))
        with self._lock:
            others = [record for other, record in self.records.items() if other != key]
        return tuple(
            replace(record, failure=None).ledger_record()
            for record in others
            if record.key.primary_channel == key.primary_channel
            and (record.vendor_id or record.status in UNRESOLVED)
        )

    def read_delivery(self, key: RecordKey) -> DeliveryRecord | None:
        """Return a record as the events worker reads it."""
        _raise_fault("read_delivery", self._faults.pop("read_delivery"))
        found = self.records.get(key)
        return found.delivery_record() if found else None

    def record_delivery(self, found: DeliveryRecord, change: DeliveryChange) -> None:
        """Write what an event changes, if the record is unchanged since it was found."""
        proven, key = change.proven, found.ledger.key

        def seen(record: DeliveryRecord) -> tuple[object, ...]:
            ledger, delivery = record.ledger, record.delivery
            reports = len(delivery.history) if found.delivery.history else 0
            state = ledger.status if proven else ledger.vendor_id
            return record.intent_id, delivery.status, reports, state

        def change_record(record: Record) -> Record:
            ended = _without_draft(_with_discarded(record, found.draft_ids))
            after = _as_sent(ended, proven.vendor_id) if proven else record
            return replace(after, delivery=change.state, open_work=_lookup_work(change.lookup_at))

        def is_same(record: Record) -> bool:
            return seen(record.delivery_record()) == seen(found)

        recipients = {key.primary_channel} if change.suppressed_for else set()
        suppress = partial(self.suppressed.update, recipients)
        self._update("record_delivery", key, is_same, change_record, suppress)

    def schedule_lookup(self, found: DeliveryRecord, at: float | None) -> None:
        """Change when the vendor is to be asked, if it is unchanged."""

        def is_same(record: Record) -> bool:
            return record.lookup_at is not None and record.lookup_at == found.lookup_at

        changes = _set(open_work=_lookup_work(at))
        self._update("schedule_lookup", found.ledger.key, is_same, changes)

    def approve_draft(self, held: HeldDraft, key: RecordKey, answer: Answer, at: float) -> None:
        """Write `retry` with the answer that an operator approved, while that draft is held."""
        mark = (OpenWork.APPROVED, _ms(at + APPROVED_QUEUED_AFTER_SECONDS))
        approved = _set(status=Status.RETRY, answer=answer, held=None, open_work=mark)

        def change(found: Record) -> Record:
            who = str(answer.written_by.get("approved_by", ""))
            kept = _with_discarded(found, held.answer.openai_ids, answer.openai_ids).drafts
            return replace(approved(found), drafts=replace(kept, approved_by=who, held_id=""))

        self._update("approve_draft", key, _is_held(held), change)

    def reject_held_draft(self, held: HeldDraft, key: RecordKey, failure: Failure) -> None:
        """Write `failed` and remove the draft, while it is held."""
        failed = _set(status=failure.status, failure=failure, open_work=None)

        def change(found: Record) -> Record:
            return failed(_without_draft(_with_discarded(found, held.answer.openai_ids)))

        self._update("reject_held_draft", key, _is_held(held), change)

    def read_approved(self, key: RecordKey, since: float) -> dict[str, Any] | None:
        """Return a record's attributes; None if its mark is another by now."""
        record = self.records.get(key)
        is_due = record is not None and _is_approved(record, since)
        return record.stored_attributes() if record and is_due else None

    def postpone_approved(self, key: RecordKey, since: float, until: float) -> None:
        """Change when an approved record is due, if its mark is unchanged."""
        later = _set(open_work=(OpenWork.APPROVED, _ms(until)))
        self._update("postpone_approved", key, lambda r: _is_approved(r, since), later)

    def due(self, kind: OpenWork, now: float) -> Iterator[tuple[float, RecordKey]]:
        """Yield what is due, the oldest first."""
        work = [
            (r.open_work[1], r.key, r.open_work[0]) for r in self.records.values() if r.open_work
        ]
        found = [(since, key) for since, key, other in work if other is kind and since <= now]
        return iter(sorted(found, key=lambda one: one[0]))

    def suppress(self, recipient: str, code: str, at: float) -> None:  # noqa: ARG002 - the port's
        _raise_fault("suppress", self._faults.pop("suppress"))
        self.suppressed.add(recipient)
        self.writes.append("suppress")

    def _check_recipient(self, lease: Lease) -> None:
        self._check_erasure(lease.key, lease.requested_at)
        if lease.key.primary_channel in self.suppressed:
            raise RecipientSuppressed("recipient_suppressed", Step.CLAIM)

    def _check_erasure(self, key: RecordKey, requested_at: float) -> None:
        if self.erased.get(key.primary_channel, -1.0) >= _ms(requested_at):
            raise RecipientErased("recipient_erased", Step.CLAIM)

    def _put(self, name: str, record: Record, in_same_write: Callable[[], object]) -> None:
        self._write(name, record.key, lambda found: None if found else record, in_same_write)

    def _update_ours(self, name: str, lease: Lease, change: Change) -> None:
        self._update(name, lease.key, _with_lease(lease, Status.PROCESSING), change)

    def _update(
        self,
        name: str,
        key: RecordKey,
        allowed: Callable[[Record], bool],
        change: Change,
        in_same_write: Callable[[], object] = lambda: None,
    ) -> None:
        def changed(found: Record | None) -> Record | None:
            return change(found) if found and allowed(found) else None

        self._write(name, key, changed, in_same_write)

    def _write(
        self,
        name: str,
        key: RecordKey,
        changed: Callable[[Record | None], Record | None],
        in_same_write: Callable[[], object],
    ) -> None:
        self.before.pop(name, lambda: None)()
        fault = self._faults.pop(name)
        if fault not in {Fault.ANSWER_LOST, Fault.REPEATED}:
            _raise_fault(name, fault)
        with self._lock:
            for _ in range(2 if fault is Fault.REPEATED else 1):
                found = self.records.get(key)
                after = changed(found)
                if after is None:
                    raise ConditionFailed(found.ledger_record() if found else None)
                in_same_write()
                self.records[key] = after
                self.writes.append(name)
        _raise_fault(name, fault)


def _raise_fault(call: str, fault: Fault | None) -> None:
    match fault:
        case Fault.UNAVAILABLE | Fault.ANSWER_LOST:
            raise LedgerUnavailable("ledger_unavailable", STEPS[call])
        case Fault.REFUSED:
            raise LedgerRefused("ledger_refused", STEPS[call])
        case Fault.TOO_LARGE:
            raise PermanentFailure("record_too_large", STEPS[call])
        case Fault.UNEXPECTED:
            raise UnexpectedTestError


def _as_sent(found: Record, vendor_id: str) -> Record:
    intent = replace(found.intent, deadline=0.0) if found.intent else None
    sent = replace(found, status=Status.SENT, vendor_id=vendor_id, intent=intent, answer=None)
    return replace(sent, failure=None, lease_expires_at=0.0)


def _is_approved(record: Record, since: float) -> bool:
    is_unsent = record.status in {Status.RETRY, Status.PROCESSING, Status.SENDING}
    return is_unsent and record.open_work == (OpenWork.APPROVED, since)


def _is_held(held: HeldDraft) -> Callable[[Record], bool]:
    return lambda r: r.status is Status.AWAITING_APPROVAL and r.drafts.held_id == held.id


def _set(**changes: Any) -> Change:
    return lambda record: replace(record, **changes)


def _lookup_work(at: float | None) -> tuple[OpenWork, float] | None:
    return None if at is None else (OpenWork.DELIVERY, _ms(at))


def _without_draft(record: Record) -> Record:
    drafts = replace(record.drafts, template_id="", held_id="")
    return replace(record, held=None, drafts=drafts)


def _with_discarded(record: Record, ids: Sequence[str], used: Sequence[str] = ()) -> Record:
    unused = (each for each in ids if each not in used)
    threads = (*record.drafts.discarded_threads, *unused)
    return replace(record, drafts=replace(record.drafts, discarded_threads=threads))


def _unchanged(found: LedgerRecord) -> Callable[[Record], bool]:
    state = (found.status, found.owner, found.attempt, _ms(found.lease_expires_at))
    return lambda r: state == (r.status, r.owner, r.attempt, r.lease_expires_at)


def _with_lease(lease: Lease, *statuses: Status) -> Callable[[Record], bool]:
    holder = (lease.owner, lease.attempt)
    return lambda r: r.status in statuses and holder == (r.owner, r.attempt)


def _of_owner(found: LedgerRecord, *statuses: Status) -> Callable[[Record], bool]:
    return lambda r: r.status in statuses and r.owner == found.owner


def _held_by(lease: Lease) -> dict[str, Any]:
    expires_at = _ms(lease.expires_at)
    return {"owner": lease.owner, "attempt": lease.attempt, "lease_expires_at": expires_at}


def _ms(seconds: float) -> float:
    return round(seconds, 3)  # the table stores milliseconds
