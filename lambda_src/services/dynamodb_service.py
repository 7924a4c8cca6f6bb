"""The conversations table: every conditional write of the ledger, and DynamoDB's errors."""

from __future__ import annotations

import contextlib
from functools import partial
from heapq import merge
from http import HTTPStatus
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from lambda_src.core import (
    BY_PHONE,
    OPEN_SINCE,
    OPEN_WORK,
    OPEN_WORK_INDEX,
    Addressing,
    ConditionFailed,
    LedgerRefused,
    LedgerUnavailable,
    OpenWork,
    PermanentFailure,
    RecordKey,
    Status,
    Step,
    call_aws,
)
from lambda_src.services.dynamodb import (
    SuppressionList,
    deserialize,
    items,
    restriction_error,
    serialize,
    serialize_record,
    updates,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        PutTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from lambda_src.core import (
        Answer,
        ContextObject,
        DeliveryChange,
        DeliveryRecord,
        Failure,
        HeldDraft,
        Intent,
        Lease,
        LedgerRecord,
        RejectedDraft,
        SentRecord,
    )

UNAVAILABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
        # Codes of the parts of a cancelled transaction:
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""Codes after which the same request may succeed, whatever the HTTP status
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""

CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
"""Codes of a failed condition: as part of a transaction, and of a single write."""

INVALID = frozenset({"SerializationException", "ValidationError", "ValidationException"})
"""Codes of a request that is invalid in itself, so that repeating it cannot succeed."""

T = TypeVar("T")


class ConversationsTable:
    """Implements the ports `LedgerStore` and `DeliveryStore` on one DynamoDB table.

    Args:
        client: A DynamoDB client; it may retry, since every write is conditional and identifies
            itself by its owner.
        table_name: The conversations table.
        processor_version: Written into each record.
        retention_days: How long records are kept; None: they do not expire.
        channel: The channel whose suppressions apply.
        addressing: The format and the spellings of its recipients' addresses.
        has_lookup: Whether the vendor can be asked for the status of a sent message.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        processor_version: str,
        retention_days: int | None = None,
        *,
        channel: str,
        addressing: Addressing = BY_PHONE,
        has_lookup: bool = True,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._version = processor_version
        self._retention = updates.Retention(retention_days)
        self._channel = channel
        self._has_lookup = has_lookup
        self._suppressions = SuppressionList(table_name, channel, addressing)

    def create(self, context: ContextObject, lease: Lease) -> None:
        """Write the first record with its lease, unless a record or a suppression exists."""
        check = self._lease_check(lease)
        attributes = items.new_record(context, lease, self._version)
        record = self._retention.apply_to_record(attributes, lease.started_at)
        put = self._put(Step.CLAIM, record)
        self._transact(Step.CLAIM, {"Put": put}, *check, requested_at=lease.requested_at)

    def take_over(self, lease: Lease, found: LedgerRecord) -> None:
        """Write a new lease into an unchanged record, unless the recipient is suppressed."""
        check = self._lease_check(lease)
        update = self._request(updates.take_over(lease, found))
        self._transact(Step.CLAIM, {"Update": update}, *check, requested_at=lease.requested_at)

    def renew(self, lease: Lease, expires_at: float) -> None:
        """Extend the lease, while `processing` under the same lease."""
        self._update(updates.renew(lease, expires_at))

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Store the AI's answer, while `processing` under the same lease."""
        self._update(updates.checkpoint_answer(lease, answer))

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:
        """Store what was wrong with the AI's first answer, while `processing` under the lease."""
        self._update(updates.reject_draft(lease, rejected))

    def clear_discarded(self, lease: Lease) -> None:
        """Remove the conversations that were deleted at OpenAI, while `processing` under it."""
        self._update(updates.clear_discarded(lease))

    def hold_draft(self, lease: Lease, draft: HeldDraft) -> None:
        """Change `processing` to `awaiting_approval` under the lease, and store the draft."""
        self._update(updates.hold_draft(lease, draft, self._channel))

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        """Change `processing` to `sending` while the lease is valid, and store the answer."""
        self._update(updates.record_intent(lease, intent, answer))

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the vendor id, while `sending` or `send_unknown`, under any lease."""
        self._update(updates.record_sent(key, sent, self._channel, has_lookup=self._has_lookup))

    def record_failure(self, lease: Lease, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` under the same lease.

        If the failure suppresses, the recipient is suppressed by the same write.
        """
        update = updates.record_failure(lease, failure)
        if not failure.suppresses:
            self._update(update)
            return
        recipient = lease.key.primary_channel
        suppress = self._suppressions.suppress(recipient, failure.code, failure.at)
        self._transact(update.step, {"Update": self._request(update)}, *suppress)

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, requested_at: float
    ) -> None:
        """Write `failed` for a rejected message, unless a record exists."""
        check = self._suppressions.require_not_erased(key.primary_channel, requested_at)
        attributes = items.rejected_record(key, failure, request_id, self._version)
        put = self._put(Step.RECORD, self._retention.apply_to_record(attributes, failure.at))
        self._transact(Step.RECORD, {"Put": put}, *check, requested_at=requested_at)

    def mark_failed_if_unchanged(self, found: LedgerRecord, failure: Failure) -> None:
        """Write `failed` into a record without a lease, if it is unchanged since it was found."""
        self._update(updates.mark_failed_if_unchanged(found, failure))

    def count_lookup(self, key: RecordKey, found: LedgerRecord) -> None:
        """Count one more lookup of a `sending` record at the vendor."""
        self._update(updates.count_lookup(key, found))

    def mark_unknown(self, key: RecordKey, failure: Failure, found: LedgerRecord) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""
        self._update(updates.mark_unknown(key, failure, found, self._channel))

    def related_records(self, key: RecordKey) -> tuple[LedgerRecord, ...]:
        """Return the recipient's other conversations that have a vendor id or may yet get one."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :recipient",
            FilterExpression="attribute_exists(message_sid)"
            " OR conversation_status IN (:sending, :unknown)",
            ProjectionExpression=", ".join(items.LEDGER_ATTRIBUTES),
            ExpressionAttributeValues=serialize(
                {
                    ":recipient": key.primary_channel,
                    ":sending": Status.SENDING,
                    ":unknown": Status.SEND_UNKNOWN,
                }
            ),
            ConsistentRead=True,
        )
        rows = map_errors(Step.SETTLE, lambda: [row for page in pages for row in page["Items"]])
        records = [items.to_ledger_record(row, Step.SETTLE) for row in rows]
        return tuple(record for record in records if record.key != key)

    def read_delivery(self, key: RecordKey) -> DeliveryRecord | None:
        """Return a record, read consistently; None if there is none."""
        found = map_errors(
            Step.DELIVERY,
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=serialize(items.key_attributes(key)),
                ConsistentRead=True,
            ),
        )
        return items.to_delivery_record(found["Item"], Step.DELIVERY) if "Item" in found else None

    def record_delivery(self, found: DeliveryRecord, change: DeliveryChange) -> None:
        """Write what an event changes, if the record is unchanged since it was found."""
        update = updates.record_delivery(found, change)
        if not change.suppressed_for:
            self._update(update)
            return
        recipient = found.ledger.key.primary_channel
        suppress = self._suppressions.suppress(recipient, change.suppressed_for, change.at)
        self._transact(update.step, {"Update": self._request(update)}, *suppress)

    def schedule_lookup(self, found: DeliveryRecord, at: float | None) -> None:
        """Change when the vendor is to be asked, if it is unchanged since it was found."""
        self._update(updates.schedule_lookup(found, at))

    def suppress(self, recipient: str, code: str, at: float) -> None:
        """Suppress a recipient of the channel, unless an operator allowed them since."""
        parts = self._suppressions.suppress(recipient, code, at, unless_lifted_since=True)
        with contextlib.suppress(ConditionFailed):
            self._transact(Step.DELIVERY, *parts)

    def _lease_check(self, lease: Lease) -> list[TransactWriteItemTypeDef]:
        return self._suppressions.require_not_suppressed(
            lease.key.primary_channel, lease.requested_at
        )

    def _transact(
        self, step: Step, *parts: TransactWriteItemTypeDef, requested_at: float = 0.0
    ) -> None:
        map_errors(
            step,
            partial(self._client.transact_write_items, TransactItems=parts),
            partial(restriction_error, step=step, requested_at=requested_at),
        )

    def _update(self, update: updates.Update) -> None:
        map_errors(update.step, lambda: self._client.update_item(**self._request(update)))

    def _put(self, step: Step, record: Mapping[str, Any]) -> PutTypeDef:
        item = serialize_record(record, items.MAX_RECORD_BYTES)
        if item is None:
            raise too_large(step)
        return {
            "TableName": self._table_name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(conversation_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _request(self, update: updates.Update) -> UpdateTypeDef:
        expression, values = self._retention.apply_to_update(update)
        return {
            "TableName": self._table_name,
            "Key": serialize(items.key_attributes(update.key)),
            "UpdateExpression": expression,
            "ConditionExpression": update.condition,
            "ExpressionAttributeValues": serialize(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


class OpenWorkTable:
    """Implements the port `ApprovedRecords` on the table and its index of open work.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        channel: The channel whose records are listed.
    """

    PAGE_SIZE = 500
    """Records read from a shard at once."""

    def __init__(self, client: DynamoDBClient, table_name: str, channel: str) -> None:
        self._client = client
        self._table_name = table_name
        self._channel = channel

    def read_approved(self, key: RecordKey, since: float) -> dict[str, Any] | None:
        """Return a record's attributes, read consistently; None if it is not to be queued."""
        found = map_errors(
            Step.DELIVERY,
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=serialize(items.key_attributes(key)),
                ConsistentRead=True,
            ),
        )
        record = deserialize(found.get("Item", {}))
        mark = updates.open_values(self._channel, OpenWork.APPROVED, key, since)
        # Version 1.x, to which a deployment may be rolled back, keeps the mark of what it has sent.
        seen = (record.get(OPEN_WORK), record.get(OPEN_SINCE))
        is_unsent = record.get("conversation_status") in updates.APPROVED_UNSENT
        is_due = is_unsent and seen == (mark[":open_work"], mark[":open_since"])
        return record if is_due else None

    def postpone_approved(self, key: RecordKey, since: float, until: float) -> None:
        """Change when an approved record is due, if its mark is unchanged since it was read."""
        update = updates.postpone_approved(self._channel, key, since, until)
        map_errors(
            update.step,
            lambda: self._client.update_item(
                TableName=self._table_name,
                Key=serialize(items.key_attributes(key)),
                UpdateExpression=update.expression,
                ConditionExpression=update.condition,
                ExpressionAttributeValues=serialize(update.values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
        )

    def due(self, kind: OpenWork, now: float) -> Iterator[tuple[float, RecordKey]]:
        """Yield what is due by `now` (epoch seconds): since when, and the record; oldest first."""
        shards = (self._due_in(kind, shard, now) for shard in updates.SHARDS_OF_OPEN_WORK)
        return merge(*shards, key=itemgetter(0))

    def _due_in(self, kind: OpenWork, shard: str, now: float) -> Iterator[tuple[float, RecordKey]]:
        partition = updates.open_partition(self._channel, kind, shard)
        pages = iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                IndexName=OPEN_WORK_INDEX,
                KeyConditionExpression=f"{OPEN_WORK} = :partition AND {OPEN_SINCE} <= :now",
                ExpressionAttributeValues=serialize(
                    {":partition": partition, ":now": items.to_decimal(now)}
                ),
                PaginationConfig={"PageSize": self.PAGE_SIZE},
            )
        )
        while page := map_errors(Step.DELIVERY, partial(next, pages, None)):
            for row in map(deserialize, page["Items"]):
                key = RecordKey(row["primary_channel"], row["conversation_id"])
                yield float(row[OPEN_SINCE]), key


def map_errors(
    step: Step,
    call: Callable[[], T],
    restriction: Callable[[Mapping[str, Any]], Exception] | None = None,
) -> T:
    """Make a DynamoDB request within its deadline, and map its errors.

    Args:
        step: The step that makes the request.
        call: A single request, or a transaction whose first part concerns the conversation's
            record and whose other parts the recipient's suppression items.
        restriction: Returns the error for a suppression item that failed the transaction.

    Raises:
        ConditionFailed: The write's condition is not met.
        LedgerUnavailable: DynamoDB did not answer, or the same request may succeed later.
        LedgerRefused: DynamoDB refuses the request.
        PermanentFailure: The record is too large or invalid.
        UnrecognizedRecord: The record found is not in a state of this ledger.
    """
    try:
        return call_aws(call)
    except TimeoutError as error:
        raise LedgerUnavailable("ledger_unavailable", step, "no answer in time") from error
    except ClientError as error:
        raise _classify_transaction(step, error, restriction) or _classify(step, error) from error
    except ParamValidationError as error:
        raise _invalid_request(step, type(error).__name__) from error
    except BotoCoreError as error:
        raise LedgerUnavailable("ledger_unavailable", step, type(error).__name__) from error


def too_large(step: Step) -> PermanentFailure:
    """Return the error of a record that exceeds the size limit."""
    detail = f"the record may have {items.MAX_RECORD_BYTES} bytes at most"
    return PermanentFailure("record_too_large", step, detail)


def _classify(step: Step, error: ClientError) -> Exception:
    answer: Any = error.response
    code, message = answer["Error"]["Code"], answer["Error"].get("Message", "")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CONDITION_FAILED:
        return ConditionFailed(
            items.to_ledger_record(answer["Item"], step) if "Item" in answer else None
        )
    # A load balancer's or proxy's error has only an HTTP status.
    is_status_transient = (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    )
    if code in UNAVAILABLE or is_status_transient:
        return LedgerUnavailable("ledger_unavailable", step, code or str(status))
    if code in INVALID and "size" in message:
        return too_large(step)
    if code in INVALID:
        return _invalid_request(step, code)
    return LedgerRefused("ledger_refused", step, code)


def _classify_transaction(
    step: Step,
    error: ClientError,
    restriction: Callable[[Mapping[str, Any]], Exception] | None,
) -> Exception | None:
    """Classify the first failed part of a cancelled transaction: the record's precedes."""
    answer: Any = error.response
    for position, reason in enumerate(answer.get("CancellationReasons", ())):
        if restriction and position and reason["Code"] == "ConditionalCheckFailed":
            return restriction(reason.get("Item", {}))
        if reason["Code"] != "None":
            part: Any = {"Error": reason, **reason}
            return _classify(step, ClientError(part, "TransactWriteItems"))
    return None


def _invalid_request(step: Step, code: str) -> Exception:
    # A message that may have been sent must not become a failure because of an invalid request.
    if step is Step.SETTLE:
        return LedgerRefused("ledger_refused", step, code)
    return PermanentFailure("record_refused", step, code)
