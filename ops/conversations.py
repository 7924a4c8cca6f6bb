"""The conversations table for operators: read records, and change them while they are unchanged.

The update functions here are the transitions of the ledger that only an operator makes; those of
the workers are in `lambda_src.services.dynamodb.updates`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_src.core import (
    APPROVED_QUEUED_AFTER_SECONDS,
    OpenWork,
    RecordKey,
    Status,
    Step,
    UnrecognizedRecord,
)
from lambda_src.services.dynamodb import (
    Update,
    deserialize,
    if_unchanged,
    items,
    serialize,
    serialize_record,
    updates,
)
from lambda_src.services.dynamodb_service import map_errors, too_large
from ops.audit import ACTIONS, APPEND_ENTRY, entry_values
from ops.console import Hours
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core import (
        Answer,
        ContextObject,
        Failure,
        HeldDraft,
        LedgerRecord,
        SentRecord,
    )
    from lambda_src.services.dynamodb import Retention

T = TypeVar("T")

STATUS = "conversation_status"
PROCESSOR_VERSION = "by-hand"
"""`processor_version` of a record that this tool created."""
FINAL_STATUSES = frozenset(
    {Status.SENT, Status.FAILED, Status.SEND_UNKNOWN, Status.AWAITING_APPROVAL}
)
"""Statuses that do not change without an operator."""
APPROVAL_FIELDS = frozenset({"approved_by", "approved_at", "edited"})
"""What an approval adds to `written_by`; the draft may have been held again since."""
DRAFT_IS_HELD = "conversation_status = :awaiting AND draft_id = :draft_id"
MAX_NAMED = 5
"""How many ids an error names."""
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation's record.

    Attributes:
        attributes: The item as plain values.
        ledger: The ledger's view of it; None if its status is not one of the ledger's.
    """

    attributes: Mapping[str, Any]
    ledger: LedgerRecord | None

    @classmethod
    def from_item(cls, stored: Mapping[str, Any]) -> ConversationRecord:
        """Read a DynamoDB item."""
        try:
            ledger = items.to_ledger_record(stored, Step.SETTLE)
        except UnrecognizedRecord:
            ledger = None
        return cls(deserialize(stored), ledger)

    @property
    def key(self) -> RecordKey:
        """Its key in the table."""
        return RecordKey(self.attributes["primary_channel"], self.attributes["conversation_id"])

    @property
    def status(self) -> str:
        """The stored status."""
        return str(self.ledger.status if self.ledger else self.attributes[STATUS])

    @property
    def updated_at(self) -> float:
        """The last change in epoch seconds; 0 if the stored time is not ISO 8601."""
        try:
            return datetime.fromisoformat(str(self.attributes.get("updated_at"))).timestamp()
        except ValueError:
            return 0.0


class ConversationRepository:
    """The conversations table.

    All methods raise the errors of `map_errors`; those that write also raise `ConditionFailed`.

    Args:
        client: A DynamoDB client.
        table_name: The table.
        retention: How long the environment keeps records.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, retention: Retention) -> None:
        self._client = client
        self._table_name = table_name
        self._retention = retention

    def read(self, key: RecordKey) -> ConversationRecord | None:
        """Return a record, read consistently; None if there is none."""
        found = map_errors(
            Step.SETTLE,
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=serialize(items.key_attributes(key)),
                ConsistentRead=True,
            ),
        )
        return ConversationRecord.from_item(found["Item"]) if "Item" in found else None

    def scan(self, **attributes: str) -> Iterator[ConversationRecord]:
        """Yield the records whose attributes have these values; reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name, **_filter(attributes)
        )
        return (ConversationRecord.from_item(row) for page in pages for row in page["Items"])

    def scan_fields(self, names: Sequence[str], **attributes: str) -> Iterator[dict[str, Any]]:
        """Yield only these fields of the records whose attributes have these values.

        Reads the whole table, too.
        """
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            ProjectionExpression=", ".join(names),
            **_filter(attributes),
        )
        return (deserialize(row) for page in pages for row in page["Items"])

    def of_recipient(self, spellings: Sequence[str]) -> Iterator[ConversationRecord]:
        """Yield the records of a recipient with these spellings of their address."""
        for spelling in spellings:
            yield from self._query("primary_channel = :recipient", {":recipient": spelling})

    def find(
        self, named: str, spellings: tuple[str, ...] = (), *, is_whole: bool = False
    ) -> list[ConversationRecord]:
        """Return the records of a conversation, one for each recipient.

        Args:
            named: The conversation's id, or its first characters if no other one begins with them.
            spellings: Addresses of one recipient; if empty, the whole table is read.
            is_whole: Whether only a whole id is accepted.

        Raises:
            OperatorError: There is none, or several conversations begin with these characters.
        """
        if not named:
            raise OperatorError("the conversation's id is empty")
        whole, begins, ids = [], [], set()
        for record in self._beginning_with(named, spellings):
            ids.add(record.key.conversation_id)
            if record.key.conversation_id == named:
                whole.append(record)
            elif len(ids) == 1:
                begins.append(record)
        if whole:
            return whole
        if len(ids) == 1 and not is_whole:
            return begins
        raise OperatorError(_not_found(named, ids, has_recipient=bool(spellings)))

    def find_one(
        self, named: str, spellings: tuple[str, ...] = (), *, is_whole: bool = False
    ) -> ConversationRecord:
        """Return the only record of a conversation; the arguments are those of `find`.

        Raises:
            OperatorError: There is none, or there are several.
        """
        found = self.find(named, spellings, is_whole=is_whole)
        if len(found) > 1:
            raise OperatorError(f"{len(found)} records have that id: choose one with --recipient")
        return found[0]

    def _beginning_with(self, named: str, spellings: Sequence[str]) -> Iterator[ConversationRecord]:
        condition, values = "begins_with(conversation_id, :named)", {":named": named}
        if not spellings:
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table_name,
                FilterExpression=f"attribute_exists({STATUS}) AND {condition}",
                ExpressionAttributeValues=serialize(values),
            )
            yield from (
                ConversationRecord.from_item(row) for page in pages for row in page["Items"]
            )
        for spelling in spellings:
            keys = f"primary_channel = :recipient AND {condition}"
            yield from self._query(keys, {":recipient": spelling, **values})

    def _query(self, keys: str, values: Mapping[str, str]) -> Iterator[ConversationRecord]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression=keys,
            FilterExpression=f"attribute_exists({STATUS})",
            ExpressionAttributeValues=serialize(values),
            ConsistentRead=True,
        )
        return (ConversationRecord.from_item(row) for page in pages for row in page["Items"])

    def apply(self, update: Update, entry: Mapping[str, str] | None = None) -> None:
        """Make one conditional update; append an audit entry in the same write."""
        if entry:
            update = _with_entry(update, entry)
        expression, values = self._retention.apply_to_update(update)
        map_errors(
            update.step,
            lambda: self._client.update_item(
                TableName=self._table_name,
                Key=serialize(items.key_attributes(update.key)),
                UpdateExpression=expression,
                ConditionExpression=update.condition,
                ExpressionAttributeValues=serialize(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
        )

    def create_failed(self, key: RecordKey, failure: Failure, entry: Mapping[str, str]) -> None:
        """Create the record of a conversation that has none, as ended with this failure."""
        record = items.rejected_record(key, failure, None, PROCESSOR_VERSION)
        self._create(record, failure.at, entry)

    def create_retry(
        self, context: ContextObject, failure: Failure, entry: Mapping[str, str]
    ) -> None:
        """Create the record of a conversation that has none, for a worker to take over."""
        rejected = items.rejected_record(
            context.key, failure, context.request_id, PROCESSOR_VERSION
        )
        self._create({**context.attributes, **rejected}, failure.at, entry)

    def release_rejected(
        self, context: ContextObject, seen: ConversationRecord, at: float, entry: Mapping[str, str]
    ) -> None:
        """Set `retry` on a record that was rejected before a lease was acquired.

        Such a record lacks the context object's attributes, and a worker that takes it over does
        not add them, so they are written here.

        Raises:
            PermanentFailure: The record would be too large.
        """
        old = {name: value for name, value in seen.attributes.items() if name != "failure"}
        record = {
            **context.attributes,
            **old,
            "request_id": context.request_id,
            STATUS: Status.RETRY,
            "updated_at": items.timestamp(at),
            ACTIONS: [*seen.attributes.get(ACTIONS, []), dict(entry)],
        }
        condition = (
            "conversation_status = :failed AND attribute_not_exists(lease_owner)"
            " AND updated_at = :seen"
        )
        values = {":failed": Status.FAILED, ":seen": seen.attributes["updated_at"]}
        self._put(record, at, condition, values)

    def _create(self, record: Mapping[str, Any], at: float, entry: Mapping[str, str]) -> None:
        audited = {**record, ACTIONS: [dict(entry)]}
        self._put(audited, at, "attribute_not_exists(conversation_id)", {})

    def _put(
        self, record: Mapping[str, Any], at: float, condition: str, values: Mapping[str, Any]
    ) -> None:
        retained = self._retention.apply_to_record(record, at)
        item = serialize_record(retained, items.MAX_RECORD_BYTES)
        if item is None:
            raise too_large(Step.CLAIM)
        options: dict[str, Any] = {"ExpressionAttributeValues": serialize(values)}
        map_errors(
            Step.RECORD,
            lambda: self._client.put_item(
                TableName=self._table_name,
                Item=item,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **(options if values else {}),
            ),
        )


def _not_found(named: str, ids: Collection[str], *, has_recipient: bool) -> str:
    """Return why no conversation is meant; `ids` are those that begin with the name."""
    if len(ids) > 1:
        return ambiguous("conversations", named, ids)
    missing = f"no record of the conversation {named}"
    if ids:
        return f"{missing}; {min(ids)} begins with it: a change with --yes needs the whole id"
    return missing + (" with that recipient: try without --recipient" if has_recipient else "")


def ambiguous(what: str, named: str, ids: Collection[str]) -> str:
    """Return the refusal of the first characters of an id with which several ids begin."""
    shown = ", ".join(nsmallest(MAX_NAMED, ids)) + (", …" if len(ids) > MAX_NAMED else "")
    return f"{len(ids)} {what} begin with {named}: {shown}"


def release(seen: LedgerRecord, at: float) -> Update:
    """Set `retry` and remove intent and failure; the AI's answer stays, since it is paid for."""
    update = Update(
        Step.SETTLE,
        seen.key,
        "SET conversation_status = :retry, updated_at = :at"
        f" REMOVE failure, send_intent_at, send_deadline, settle_looks, {updates.REMOVE_OPEN}",
        "",
        {":retry": Status.RETRY, ":at": items.timestamp(at)},
        retained_from=at,
    )
    return if_unchanged(update, seen)


def approve_draft(
    held: HeldDraft,
    key: RecordKey,
    channel: str,
    answer: Answer,
    at: float,
) -> Update:
    """Set `retry` with the answer that an operator approved, while that draft waits for one.

    The mark makes the scheduled job queue the message, if the command that approved it did not.
    """
    due = at + APPROVED_QUEUED_AFTER_SECONDS
    discarded = _discarded(held, answer.openai_ids)
    return Update(
        Step.HOLD,
        key,
        "SET conversation_status = :retry, ai_answer = :answer, written_by = :written_by,"
        f" hand_off_to_human = :no, {updates.SET_OPEN}, updated_at = :at{discarded.expression}"
        " REMOVE draft, draft_id, hand_off_to_human_reason",
        DRAFT_IS_HELD,
        {
            **_held_values(held),
            **updates.open_values(channel, OpenWork.APPROVED, key, due),
            **discarded.values,
            ":retry": Status.RETRY,
            ":answer": items.answer_attributes(answer),
            ":written_by": dict(answer.written_by),
            ":no": False,
            ":at": items.timestamp(at),
        },
        retained_from=at,
    )


def reject_draft(held: HeldDraft, key: RecordKey, failure: Failure) -> Update:
    """Set `failed` and remove the draft, while that draft waits for an operator."""
    discarded = _discarded(held, ())
    written_by = held.answer.written_by
    unapproved = {name: written_by[name] for name in written_by if name not in APPROVAL_FIELDS}
    return Update(
        Step.HOLD,
        key,
        f"{updates.SET_FAILURE}, hand_off_to_human = :no, written_by = :written_by"
        f"{discarded.expression}"
        f" REMOVE {updates.REMOVE_DRAFT}, {updates.REMOVE_OPEN}",
        DRAFT_IS_HELD,
        {
            **_held_values(held),
            **discarded.values,
            ":status": failure.status,
            ":failure": items.failure_attributes(failure),
            ":written_by": unapproved,
            ":no": False,
            ":at": items.timestamp(failure.at),
        },
        retained_from=failure.at,
    )


def close(seen: LedgerRecord, failure: Failure) -> Update:
    """Set `failed` on a conversation without a running worker and without a send."""
    return replace(updates.mark_failed_if_unchanged(seen, failure), step=Step.SETTLE)


def record_sent(seen: LedgerRecord, sent: SentRecord, channel: str, *, has_lookup: bool) -> Update:
    """Record the vendor id of a message that the operator found."""
    update = updates.record_sent(seen.key, sent, channel, has_lookup=has_lookup)
    return if_unchanged(update, seen)


def annotate(key: RecordKey, at: float) -> Update:
    """Change only `updated_at`; for an audit entry on an existing record."""
    values = {":at": items.timestamp(at)}
    exists = "attribute_exists(conversation_id)"
    return Update(Step.RECORD, key, "SET updated_at = :at", exists, values)


def age_hours(then: float, now: float) -> Hours | None:
    """Return the time between two epoch times; None if `then` is 0."""
    return Hours.of(now - then) if then else None


def poll(  # noqa: PLR0917 - the clock's parts, for tests
    read: Callable[[], T],
    is_final: Callable[[T], bool],
    seconds: float,
    interval: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yield what `read` returns, until it is final or `seconds` have passed."""
    deadline = clock() + seconds
    while True:
        value = read()
        yield value
        if is_final(value) or clock() >= deadline:
            return
        sleep(interval)


def wait_for_outcome(
    conversations: ConversationRepository, key: RecordKey, seconds: float
) -> Iterator[ConversationRecord | None]:
    """Yield a record repeatedly, until its conversation has ended or `seconds` have passed."""

    def is_final(record: ConversationRecord | None) -> bool:
        return bool(record and record.ledger and record.ledger.status in FINAL_STATUSES)

    return poll(lambda: conversations.read(key), is_final, seconds, POLL_SECONDS)


def _held_values(held: HeldDraft) -> dict[str, Any]:
    return {":awaiting": Status.AWAITING_APPROVAL, ":draft_id": held.id}


def _discarded(held: HeldDraft, used: Sequence[str]) -> updates.Part:
    """Keep the ids of what OpenAI stores of an answer that is not used, so that it is erased."""
    return updates.keep_discarded([id_ for id_ in held.answer.openai_ids if id_ not in used])


def _with_entry(update: Update, entry: Mapping[str, str]) -> Update:
    return replace(
        update,
        expression=update.expression.replace("SET ", f"SET {APPEND_ENTRY}, ", 1),
        values={**update.values, **entry_values(entry)},
    )


def _filter(attributes: Mapping[str, str]) -> dict[str, Any]:
    names = {f"#{name}": name for name in attributes}
    values = serialize({f":{name}": value for name, value in attributes.items()})
    # The table also holds suppression items, which have no status.
    conditions = [f"attribute_exists({STATUS})", *(f"#{name} = :{name}" for name in attributes)]
    options = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {"FilterExpression": " AND ".join(conditions), **(options if attributes else {})}
