"""The conditional updates of a record as DynamoDB expressions, and how long a record is kept.

An open send never expires: a record in `sending` or `send_unknown` prevents that its message is
sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Final

from lambda_src.core import (
    APPROVED_QUEUED_AGAIN_AFTER_SECONDS,
    EXPIRES_AT,
    LOOKUP_DELAYS_SECONDS,
    OPEN_SINCE,
    OPEN_WORK,
    Answer,
    DeliveryChange,
    DeliveryRecord,
    DeliveryStatus,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    OpenWork,
    ProvenSend,
    RecordKey,
    RejectedDraft,
    SentRecord,
    Status,
    Step,
)
from lambda_src.services.dynamodb import items

SAME_LEASE = "lease_owner = :owner AND attempt = :attempt"
SET_SENT = (
    "SET conversation_status = :sent, message_sid = :sid, initial_processing_time_ms = :duration"
)
REMOVE_ATTEMPT = "ai_answer, failure, lease_expires_at, send_deadline"
REMOVE_DRAFT = "draft, draft_id, draft_template_id, hand_off_to_human_reason"
SET_FAILURE = "SET conversation_status = :status, failure = :failure, updated_at = :at"
SET_OPEN = f"{OPEN_WORK} = :open_work, {OPEN_SINCE} = :open_since"
REMOVE_OPEN = f"{OPEN_WORK}, {OPEN_SINCE}"
APPROVED_UNSENT = (Status.RETRY, Status.PROCESSING, Status.SENDING)
"""Statuses of an approved message whose queue message may be missing."""
SHARDS_OF_OPEN_WORK = "0123456789abcdef"
"""A channel's records with the same kind of open work are in as many partitions of the index."""


@dataclass(frozen=True, slots=True)
class Part:
    """Further assignments of an update's expression, with their values; by default none."""

    expression: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def keep_discarded(ids: Sequence[str]) -> Part:
    """Return what keeps ids at OpenAI until an erasure or a deletion, if there are any.

    They are of answers that are not used, see `Answer.openai_ids`.
    """
    if not ids:
        return Part()
    append = "list_append(if_not_exists(discarded_threads, :no_threads), :threads)"
    values = {":no_threads": [], ":threads": list(ids)}
    return Part(f", discarded_threads = {append}", values)


def open_partition(channel: str, kind: OpenWork, shard: str) -> str:
    """Return a value of `open_work`."""
    return f"{channel}#{kind}#{shard}"


def open_values(channel: str, kind: OpenWork, key: RecordKey, since: float) -> dict[str, Any]:
    """Return the values of `SET_OPEN` for work that is due at a time in epoch seconds."""
    shard = sha256(key.conversation_id.encode()).hexdigest()[0]
    return {
        ":open_work": open_partition(channel, kind, shard),
        ":open_since": items.to_decimal(since),
    }


class Expiry(Enum):
    """What an update does to a record's expiry, if it does not start the retention again."""

    UNCHANGED = auto()
    REMOVED = auto()


UNCHANGED: Final = Expiry.UNCHANGED
REMOVED: Final = Expiry.REMOVED


@dataclass(frozen=True, slots=True)
class Update:
    """One conditional update of a record; value names start with a colon.

    Attributes:
        step: The step that makes the update.
        key: The conversation.
        expression: DynamoDB's update expression; starts with `SET ` if the expiry changes.
        condition: DynamoDB's condition expression.
        values: The values of both expressions, before serialization.
        retained_from: When the retention starts again, in epoch seconds, if it does.
    """

    step: Step
    key: RecordKey
    expression: str
    condition: str
    values: Mapping[str, Any]
    retained_from: float | Expiry = UNCHANGED


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days a record is kept after its last attempt; None means without limit.

    DynamoDB deletes a record some time after its `expires_at` (epoch seconds).
    """

    days: int | None

    def apply_to_record(self, record: Mapping[str, Any], at: float) -> dict[str, Any]:
        """Return a new record with its expiry, counted from `at` (epoch seconds)."""
        return {**record, **self._expiry(EXPIRES_AT, at)}

    def apply_to_update(self, update: Update) -> tuple[str, dict[str, Any]]:
        """Return an update's expression and values, with its effect on the record's expiry."""
        if update.retained_from is UNCHANGED:
            return update.expression, dict(update.values)
        if update.retained_from is REMOVED or self.days is None:
            separator = ", " if " REMOVE " in update.expression else " REMOVE "
            return f"{update.expression}{separator}{EXPIRES_AT}", dict(update.values)
        expression = update.expression.replace("SET ", f"SET {EXPIRES_AT} = :expiry, ", 1)
        return expression, {**update.values, **self._expiry(":expiry", update.retained_from)}

    def _expiry(self, name: str, at: float) -> dict[str, int]:
        return {name: int(at + timedelta(days=self.days).total_seconds())} if self.days else {}


def take_over(lease: Lease, found: LedgerRecord) -> Update:
    """Write a new lease into a record, if it is unchanged since it was found.

    An approved message stays marked: its queue message may be deleted before it is sent.
    """
    open_change, opened = f" REMOVE {REMOVE_OPEN}", dict[str, Any]()
    if found.drafts.approved_by:
        due = lease.started_at + APPROVED_QUEUED_AGAIN_AFTER_SECONDS
        opened = open_values(found.channel, OpenWork.APPROVED, lease.key, due)
        open_change = f", {SET_OPEN}"
    taken = Update(
        Step.CLAIM,
        lease.key,
        "SET conversation_status = :processing, lease_owner = :owner, attempt = :attempt,"
        f" lease_expires_at = :expires, updated_at = :at{open_change}",
        "",
        {
            **_lease_values(lease),
            **opened,
            ":expires": items.to_decimal(lease.expires_at),
            ":at": items.timestamp(lease.started_at),
        },
        retained_from=lease.started_at,
    )
    return if_unchanged(taken, found)


def renew(lease: Lease, expires_at: float) -> Update:
    """Extend the lease, while `processing` under the same lease."""
    return Update(
        Step.CLAIM,
        lease.key,
        "SET lease_expires_at = :expires",
        f"conversation_status = :processing AND {SAME_LEASE}",
        {**_lease_values(lease), ":expires": items.to_decimal(expires_at)},
    )


def reject_draft(lease: Lease, rejected: RejectedDraft) -> Update:
    """Store what was wrong with the AI's first answer, while `processing` under the same lease."""
    discarded = keep_discarded(rejected.openai_ids)
    return Update(
        Step.AI,
        lease.key,
        f"SET rejected_draft = :rejected{discarded.expression}",
        f"conversation_status = :processing AND {SAME_LEASE}",
        {
            **_lease_values(lease),
            **discarded.values,
            ":rejected": items.rejected_attributes(rejected),
        },
    )


def clear_discarded(lease: Lease) -> Update:
    """Remove the conversations that were deleted at OpenAI, while `processing` under the lease."""
    return Update(
        Step.AI,
        lease.key,
        "REMOVE discarded_threads",
        f"conversation_status = :processing AND {SAME_LEASE}",
        _lease_values(lease),
    )


def hold_draft(lease: Lease, draft: HeldDraft, channel: str) -> Update:
    """Change `processing` to `awaiting_approval` under the same lease, and store the draft."""
    written_by = _written_by(draft.answer)
    return Update(
        Step.HOLD,
        lease.key,
        "SET conversation_status = :awaiting, draft = :draft, draft_id = :draft_id,"
        " draft_template_id = :template, hand_off_to_human = :yes,"
        f" hand_off_to_human_reason = :reason, {SET_OPEN}, updated_at = :at{written_by.expression}"
        f" REMOVE {REMOVE_ATTEMPT}, rejected_draft",
        f"conversation_status = :processing AND {SAME_LEASE}",
        {
            **_lease_values(lease),
            **open_values(channel, OpenWork.HELD, lease.key, draft.at),
            **written_by.values,
            ":awaiting": Status.AWAITING_APPROVAL,
            ":draft": items.draft_attributes(draft),
            ":draft_id": draft.id,
            ":template": draft.template_id,
            ":yes": True,
            ":reason": draft.reason,
            ":at": items.timestamp(draft.at),
        },
        retained_from=REMOVED,
    )


def checkpoint_answer(lease: Lease, answer: Answer) -> Update:
    """Store the AI's answer, while `processing` under the same lease."""
    written_by = _written_by(answer)
    return Update(
        Step.AI,
        lease.key,
        f"SET ai_answer = :answer{written_by.expression} REMOVE rejected_draft",
        f"conversation_status = :processing AND {SAME_LEASE}",
        {
            **_lease_values(lease),
            **written_by.values,
            ":answer": items.answer_attributes(answer),
        },
    )


def record_intent(lease: Lease, intent: Intent, answer: Answer) -> Update:
    """Change `processing` to `sending` while the lease is valid, and store the answer.

    A text that an operator has edited is in no conversation at OpenAI: the record names none.
    """
    written_by = _written_by(answer)
    thread = {":thread": answer.thread_id} if answer.thread_id else {}
    set_thread, remove_thread = ("thread_id = :thread, ", "") if thread else ("", ", thread_id")
    return Update(
        Step.SEND,
        lease.key,
        f"SET conversation_status = :sending, ai_answer = :answer, {set_thread}"
        "send_intent_at = :intent, send_deadline = :deadline, settle_looks = :none,"
        " intent_id = :intent_id,"
        " intent_ids = list_append(if_not_exists(intent_ids, :no_ids), :intent_ids),"
        f" updated_at = :at{written_by.expression}"
        f" REMOVE rejected_draft{remove_thread}",
        f"conversation_status = :processing AND {SAME_LEASE} AND lease_expires_at > :intent",
        {
            **_lease_values(lease),
            **written_by.values,
            **thread,
            ":sending": Status.SENDING,
            ":answer": items.answer_attributes(answer),
            ":intent": items.to_decimal(intent.at),
            ":deadline": items.to_decimal(intent.deadline),
            ":none": 0,
            ":intent_id": intent.id,
            ":no_ids": [],
            ":intent_ids": [intent.id],
            ":at": items.timestamp(intent.at),
        },
        retained_from=REMOVED,
    )


def record_sent(key: RecordKey, sent: SentRecord, channel: str, *, has_lookup: bool) -> Update:
    """Write the vendor id, while `sending` or `send_unknown`, under any lease."""
    opened: dict[str, Any] = {}
    open_change = f" REMOVE {REMOVE_OPEN},"
    if has_lookup:
        since = sent.sent_at + LOOKUP_DELAYS_SECONDS[0]
        opened = open_values(channel, OpenWork.DELIVERY, key, since)
        open_change = f", {SET_OPEN} REMOVE"
    return Update(
        Step.RECORD,
        key,
        f"{SET_SENT}, messages = :messages,"
        # A status callback may precede this write.
        " delivery_status = if_not_exists(delivery_status, :queued),"
        " delivery_updated_at = if_not_exists(delivery_updated_at, :at), updated_at = :at"
        f"{open_change} {REMOVE_ATTEMPT}",
        "conversation_status IN (:sending, :unknown)",
        {
            **opened,
            ":sent": Status.SENT,
            ":sid": sent.vendor_id,
            ":messages": [items.history_entry(sent.vendor_id, sent.answer, sent.sent_at)],
            ":duration": sent.processing_time_ms,
            ":queued": DeliveryStatus.QUEUED,
            ":at": items.timestamp(sent.recorded_at),
            ":sending": Status.SENDING,
            ":unknown": Status.SEND_UNKNOWN,
        },
        retained_from=sent.recorded_at,
    )


def record_delivery(found: DeliveryRecord, change: DeliveryChange) -> Update:
    """Write what a delivery event changes, if the record is unchanged since it was found."""
    state, before, proven = change.state, found.delivery, change.proven
    updates = [
        "SET delivery_status = :delivery",
        "delivery_updated_at = :at",
        "delivery_events = :events",
        "updated_at = :at",
    ]
    values: dict[str, Any] = {
        ":delivery": state.status,
        ":events": [items.report_attributes(report) for report in state.history],
        ":at": items.timestamp(change.at),
        ":intent_id": found.intent_id,
        ":found_delivery": before.status or "",
    }
    conditions = [
        _equals("intent_id", ":intent_id", found.intent_id),
        _equals("delivery_status", ":found_delivery", before.status or ""),
    ]
    if state.error_code:
        updates.append("delivery_error_code = :code")
        values[":code"] = state.error_code
    if before.history:
        conditions.append("size(delivery_events) = :found_events")
        values[":found_events"] = len(before.history)
    removed = []
    if change.lookup_at is None:
        removed.append(REMOVE_OPEN)
    elif proven or change.lookup_at != found.lookup_at:
        record = found.ledger
        updates.append(SET_OPEN)
        values |= open_values(record.channel, OpenWork.DELIVERY, record.key, change.lookup_at)
    if proven is None:
        conditions.append("message_sid = :sid")
        values[":sid"] = found.ledger.vendor_id
    else:
        conditions.append("conversation_status = :found_status")
        values |= {":found_status": found.ledger.status, **_proven_values(proven)}
        updates[0] = f"{SET_SENT}, hand_off_to_human = :no, {updates[0].removeprefix('SET ')}"
        if proven.answer:
            updates.append("messages = :messages")
        discarded = keep_discarded(found.draft_ids)
        updates[-1] += discarded.expression
        values |= discarded.values
        removed += [REMOVE_ATTEMPT, REMOVE_DRAFT]
    expression = ", ".join(updates) + (f" REMOVE {', '.join(removed)}" if removed else "")
    condition = " AND ".join(conditions)
    retained_from = change.at if proven else UNCHANGED
    return Update(Step.DELIVERY, found.ledger.key, expression, condition, values, retained_from)


def schedule_lookup(found: DeliveryRecord, at: float | None) -> Update:
    """Change when the vendor is to be asked, if that is unchanged since the record was found."""
    record = found.ledger
    values = {":found_since": items.to_decimal(found.lookup_at or 0.0)}
    if at is None:
        expression = f"REMOVE {REMOVE_OPEN}"
    else:
        expression = f"SET {SET_OPEN}"
        values |= open_values(record.channel, OpenWork.DELIVERY, record.key, at)
    return Update(Step.DELIVERY, record.key, expression, f"{OPEN_SINCE} = :found_since", values)


def postpone_approved(channel: str, key: RecordKey, since: float, until: float) -> Update:
    """Change when an approved record is due, if its mark is unchanged since it was found."""
    values = open_values(channel, OpenWork.APPROVED, key, until)
    values[":found_since"] = items.to_decimal(since)
    names = {f":unsent_{number}": status for number, status in enumerate(APPROVED_UNSENT)}
    condition = (
        f"conversation_status IN ({', '.join(names)})"
        f" AND {OPEN_WORK} = :open_work AND {OPEN_SINCE} = :found_since"
    )
    values |= names
    return Update(Step.DELIVERY, key, f"SET {OPEN_SINCE} = :open_since", condition, values)


def _proven_values(proven: ProvenSend) -> dict[str, Any]:
    values: dict[str, Any] = {
        ":sent": Status.SENT,
        ":sid": proven.vendor_id,
        ":duration": proven.processing_time_ms,
        ":no": False,
    }
    if proven.answer:
        entry = items.history_entry(proven.vendor_id, proven.answer, proven.sent_at)
        values[":messages"] = [entry]
    return values


def record_failure(lease: Lease, failure: Failure) -> Update:
    """Write `failed` or `retry`, while `processing` or `sending` under the same lease."""
    discarded = keep_discarded(failure.openai_ids)
    removal = f" REMOVE {REMOVE_OPEN}" if failure.status is Status.FAILED else ""
    return Update(
        Step.RECORD,
        lease.key,
        f"{SET_FAILURE}{discarded.expression}{removal}",
        f"conversation_status IN (:processing, :sending, :status) AND {SAME_LEASE}",
        {
            **_lease_values(lease),
            **_failure_values(failure),
            **discarded.values,
            ":sending": Status.SENDING,
        },
        retained_from=failure.at,
    )


def mark_failed_if_unchanged(found: LedgerRecord, failure: Failure) -> Update:
    """Write `failed` into a record without a lease, if it is unchanged since it was found."""
    values, expression = _failure_values(failure), f"{SET_FAILURE} REMOVE {REMOVE_OPEN}"
    update = Update(Step.RECORD, found.key, expression, "", values, retained_from=failure.at)
    return if_unchanged(update, found)


def count_lookup(key: RecordKey, found: LedgerRecord) -> Update:
    """Count one more lookup at the vendor, while still `sending` by the same owner."""
    return Update(
        Step.SETTLE,
        key,
        "SET settle_looks = :lookups",
        f"conversation_status = :sending AND {_equals('lease_owner', ':found_owner', found.owner)}",
        {
            ":lookups": found.lookups + 1,
            ":sending": Status.SENDING,
            ":found_owner": found.owner,
        },
    )


def mark_unknown(key: RecordKey, failure: Failure, found: LedgerRecord, channel: str) -> Update:
    """Write `send_unknown`, while still `sending` by the same owner."""
    return Update(
        Step.SETTLE,
        key,
        f"{SET_FAILURE}, {SET_OPEN}",
        "conversation_status IN (:sending, :status)"
        f" AND {_equals('lease_owner', ':found_owner', found.owner)}",
        {
            **_failure_values(failure),
            **open_values(channel, OpenWork.UNKNOWN, key, failure.at),
            ":sending": Status.SENDING,
            ":found_owner": found.owner,
        },
        retained_from=REMOVED,
    )


def if_unchanged(update: Update, found: LedgerRecord) -> Update:
    """Return the same update with the condition that the record is unchanged since it was found."""
    conditions = [
        update.condition,
        "conversation_status = :found_status",
        _equals("lease_owner", ":found_owner", found.owner),
        _equals("attempt", ":found_attempt", found.attempt),
        _equals("lease_expires_at", ":found_expires", found.lease_expires_at),
    ]
    values = {
        **update.values,
        ":found_status": found.status,
        ":found_owner": found.owner,
        ":found_attempt": found.attempt,
        ":found_expires": items.to_decimal(found.lease_expires_at),
    }
    return replace(update, condition=" AND ".join(filter(None, conditions)), values=values)


def _equals(attribute: str, value_name: str, value: str | float) -> str:
    # A rejected record, or one that a tool made, has no lease: its attributes read as empty.
    condition = f"{attribute} = {value_name}"
    return condition if value else f"(attribute_not_exists({attribute}) OR {condition})"


def _written_by(answer: Answer) -> Part:
    # An answer of version 1.x has none.
    if not answer.written_by:
        return Part()
    return Part(", written_by = :written_by", {":written_by": dict(answer.written_by)})


def _lease_values(lease: Lease) -> dict[str, Any]:
    return {
        ":owner": lease.owner,
        ":attempt": lease.attempt,
        ":processing": Status.PROCESSING,
    }


def _failure_values(failure: Failure) -> dict[str, Any]:
    return {
        ":status": failure.status,
        ":failure": items.failure_attributes(failure),
        ":at": items.timestamp(failure.at),
    }
