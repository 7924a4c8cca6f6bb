"""The conversations table: every conditional write of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core.contract import Status
from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure, Step
from lambda_src.core.ledger import Claim, ConditionFailed, Entry, Failure, Intent, SentRecord
from lambda_src.services import conversation_item as item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core.context import ContextObject, RecordKey
    from lambda_src.core.message import Answer

UNAVAILABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
"""DynamoDB's errors after which the same call may succeed."""

T = TypeVar("T")

OURS = "lease_owner = :owner AND attempt = :attempt"
SET_FAILURE = "SET conversation_status = :status, failure = :failure, updated_at = :at"


class ConversationsTable:
    """Implements the port `Conversations` on one DynamoDB table.

    Args:
        client: A DynamoDB client; its own retries are welcome, since every write is conditional and
            recognises itself by its owner.
        table_name: The conversations table.
        processor_version: Written into each record.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, processor_version: str) -> None:
        self._client = client
        self._table_name = table_name
        self._version = processor_version

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record, if there is none."""
        record = item.new_record(context, claim, self._version)
        if item.size(record) > item.LARGEST:
            raise _too_large()
        self._put(record)

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record that is still as it was seen."""
        self._update(
            claim.key,
            "SET conversation_status = :processing, lease_owner = :owner, attempt = :attempt,"
            " lease_expires_at = :expires, updated_at = :at REMOVE failure",
            "conversation_status = :seen_status AND lease_owner = :seen_owner"
            " AND attempt = :seen_attempt AND lease_expires_at = :seen_expires",
            {
                **_ours(claim),
                ":processing": Status.PROCESSING,
                ":expires": item.number(claim.lease_expires_at),
                ":at": item.timestamp(claim.started_at),
                ":seen_status": seen.status,
                ":seen_owner": seen.owner,
                ":seen_attempt": seen.attempt,
                ":seen_expires": item.number(seen.lease_expires_at),
            },
        )

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease, while `processing` and ours."""
        self._update(
            claim.key,
            "SET lease_expires_at = :expires",
            f"conversation_status = :processing AND {OURS}",
            {
                **_ours(claim),
                ":processing": Status.PROCESSING,
                ":expires": item.number(expires_at),
            },
        )

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer, while `processing` and ours."""
        self._update(
            claim.key,
            "SET ai_answer = :answer",
            f"conversation_status = :processing AND {OURS}",
            {
                **_ours(claim),
                ":processing": Status.PROCESSING,
                ":answer": item.from_answer(answer),
            },
        )

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Go from `processing` to `sending`, while the lease is ours and valid; keep the answer."""
        self._update(
            claim.key,
            "SET conversation_status = :sending, ai_answer = :answer, thread_id = :thread,"
            " send_intent_at = :intent, send_deadline = :deadline, settle_looks = :none,"
            " updated_at = :at",
            f"conversation_status = :processing AND {OURS} AND lease_expires_at > :intent",
            {
                **_ours(claim),
                ":processing": Status.PROCESSING,
                ":sending": Status.SENDING,
                ":answer": item.from_answer(answer),
                ":thread": answer.thread_id,
                ":intent": item.number(intent.at),
                ":deadline": item.number(intent.deadline),
                ":none": 0,
                ":at": item.timestamp(intent.at),
            },
        )

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`, whoever holds the lease."""
        self._update(
            key,
            "SET conversation_status = :sent, message_sid = :sid, messages = :messages,"
            " thread_id = :thread, initial_processing_time_ms = :duration, updated_at = :at"
            " REMOVE ai_answer, failure, lease_expires_at, send_deadline",
            "conversation_status IN (:sending, :unknown)",
            {
                ":sent": Status.SENT,
                ":sid": sent.sid,
                ":messages": [item.history_entry(sent)],
                ":thread": sent.answer.thread_id,
                ":duration": sent.processing_time_ms,
                ":at": item.timestamp(sent.recorded_at),
                ":sending": Status.SENDING,
                ":unknown": Status.SEND_UNKNOWN,
            },
        )

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` and ours."""
        self._update(
            claim.key,
            SET_FAILURE,
            f"conversation_status IN (:processing, :sending, :status) AND {OURS}",
            {
                **_ours(claim),
                **_failed(failure),
                ":processing": Status.PROCESSING,
                ":sending": Status.SENDING,
            },
        )

    def record_rejection(self, key: RecordKey, failure: Failure, request_id: str | None) -> None:
        """Write `failed` for a message refused before its claim, unless a record stands."""
        self._put(item.rejection(key, failure, request_id, self._version))

    def count_look(self, key: RecordKey, seen: Entry) -> None:
        """Count one more look for the sid of an unsettled send."""
        self._update(
            key,
            "SET settle_looks = :looks",
            "conversation_status = :sending AND lease_owner = :seen_owner",
            {
                ":looks": seen.looks + 1,
                ":sending": Status.SENDING,
                ":seen_owner": seen.owner,
            },
        )

    def declare_unknown(self, key: RecordKey, failure: Failure, seen: Entry) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""
        self._update(
            key,
            SET_FAILURE,
            "conversation_status IN (:sending, :status) AND lease_owner = :seen_owner",
            {**_failed(failure), ":sending": Status.SENDING, ":seen_owner": seen.owner},
        )

    def others(self, key: RecordKey) -> tuple[Entry, ...]:
        """The recipient's other conversations that have a sid, or may yet get one."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :recipient",
            FilterExpression="attribute_exists(message_sid)"
            " OR conversation_status IN (:sending, :unknown)",
            ProjectionExpression=", ".join(item.ENTRY_ATTRIBUTES),
            ExpressionAttributeValues=item.serialized(
                {
                    ":recipient": key.primary_channel,
                    ":sending": Status.SENDING,
                    ":unknown": Status.SEND_UNKNOWN,
                }
            ),
            ConsistentRead=True,
        )
        found = _translated(lambda: [row for page in pages for row in page["Items"]])
        entries = map(item.to_entry, found)
        return tuple(entry for entry in entries if entry.key != key)

    def _put(self, record: Mapping[str, Any]) -> None:
        _translated(
            lambda: self._client.put_item(
                TableName=self._table_name,
                Item=item.serialized(record),
                ConditionExpression="attribute_not_exists(conversation_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )

    def _update(
        self, key: RecordKey, update: str, condition: str, values: Mapping[str, Any]
    ) -> None:
        _translated(
            lambda: self._client.update_item(
                TableName=self._table_name,
                Key=item.serialized(item.key_attributes(key)),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=item.serialized(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )


def _ours(claim: Claim) -> dict[str, Any]:
    return {":owner": claim.owner, ":attempt": claim.attempt}


def _failed(failure: Failure) -> dict[str, Any]:
    return {
        ":status": failure.status,
        ":failure": item.from_failure(failure),
        ":at": item.timestamp(failure.at),
    }


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except ClientError as error:
        raise _meaning(error) from error
    except BotoCoreError as error:
        raise LedgerUnavailable("ledger_unavailable", Step.RECORD, type(error).__name__) from error


def _meaning(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        old: Any = error.response.get("Item")
        return ConditionFailed(item.to_entry(old) if old else None)
    if code in UNAVAILABLE:
        return LedgerUnavailable("ledger_unavailable", Step.RECORD, code)
    if code == "ValidationException" and "size" in error.response["Error"].get("Message", ""):
        return _too_large()
    return LedgerRefused("ledger_refused", Step.RECORD, code)


def _too_large() -> PermanentFailure:
    return PermanentFailure(
        "record_too_large", Step.CLAIM, f"the record may have {item.LARGEST} bytes at most"
    )
