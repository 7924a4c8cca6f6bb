"""The conversations table: every conditional write of the ledger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.services import conversation_item as item
from lambda_src.services import dynamodb_writes as writes
from lambda_src.services.conversation_entry import ENTRY_ATTRIBUTES, to_entry
from lambda_src.services.dynamodb_errors import too_large, translated
from lambda_src.services.dynamodb_values import is_larger_than, serialized
from lambda_src.services.recipient_marks import RecipientMarks, barred
from lambda_src.services.retention import KEPT_FOR_GOOD, Retention

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        PutTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from lambda_src.core.context import ContextObject, RecordKey
    from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
    from lambda_src.core.message import Answer
    from lambda_src.services.dynamodb_update import Update


class ConversationsTable:
    """Implements the port `Conversations` on one DynamoDB table.

    Args:
        client: A DynamoDB client; its own retries are welcome, since every write is conditional and
            recognises itself by its owner.
        table_name: The conversations table.
        processor_version: Written into each record.
        retention: How long records are kept.
        channel: Whose recipients' marks are looked at.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        processor_version: str,
        retention: Retention = KEPT_FOR_GOOD,
        *,
        channel: str,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._version = processor_version
        self._retention = retention
        self._marks = RecipientMarks(table_name, channel)

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record, if there is none and the recipient is not barred."""
        attributes = item.new_record(context, claim, self._version)
        record = self._retention.of_record(attributes, claim.started_at)
        if is_larger_than(item.LARGEST, record):
            raise too_large(Step.CLAIM)
        self._claim(claim, {"Put": self._new(record)})

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record that is still as it was seen, if the recipient is not barred."""
        self._claim(claim, {"Update": self._change(writes.take_over(claim, seen))})

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease, while `processing` and ours."""
        self._update(writes.renew(claim, expires_at))

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer, while `processing` and ours."""
        self._update(writes.store_answer(claim, answer))

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Go from `processing` to `sending`, while the lease is ours and valid; keep the answer."""
        self._update(writes.begin_send(claim, intent, answer))

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`, whoever holds the lease."""
        self._update(writes.record_sent(key, sent))

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` and ours.

        Where the failure suppresses, the recipient is suppressed by the same write.
        """
        update = writes.record_failure(claim, failure)
        if not failure.suppresses:
            self._update(update)
            return
        recipient = claim.key.primary_channel
        suppression = self._marks.suppression(recipient, failure.code, failure.at)
        self._transact(update.step, {"Update": self._change(update)}, suppression)

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, asked_at: float
    ) -> None:
        """Write `failed` for a message refused before its claim, unless a record stands."""
        record = item.rejection(key, failure, request_id, self._version)
        self._transact(
            Step.RECORD,
            {"Put": self._new(self._retention.of_record(record, failure.at))},
            self._marks.is_not_erased(key.primary_channel, asked_at),
            asked_at=asked_at,
        )

    def turn_away(self, seen: Entry, failure: Failure) -> None:
        """Write `failed` over a record that nobody works on, still as it was seen."""
        self._update(writes.turn_away(seen, failure))

    def count_look(self, key: RecordKey, seen: Entry) -> None:
        """Count one more look for the sid of an unsettled send."""
        self._update(writes.count_look(key, seen))

    def declare_unknown(self, key: RecordKey, failure: Failure, seen: Entry) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""
        self._update(writes.declare_unknown(key, failure, seen))

    def others(self, key: RecordKey) -> tuple[Entry, ...]:
        """The recipient's other conversations that have a sid, or may yet get one."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :recipient",
            FilterExpression="attribute_exists(message_sid)"
            " OR conversation_status IN (:sending, :unknown)",
            ProjectionExpression=", ".join(ENTRY_ATTRIBUTES),
            ExpressionAttributeValues=serialized(
                {
                    ":recipient": key.primary_channel,
                    ":sending": Status.SENDING,
                    ":unknown": Status.SEND_UNKNOWN,
                }
            ),
            ConsistentRead=True,
        )
        found = translated(Step.SETTLE, lambda: [row for page in pages for row in page["Items"]])
        entries = [to_entry(row, Step.SETTLE) for row in found]
        return tuple(entry for entry in entries if entry.key != key)

    def _claim(self, claim: Claim, write: TransactWriteItemTypeDef) -> None:
        check = self._marks.is_not_barred(claim.key.primary_channel, claim.asked_at)
        self._transact(Step.CLAIM, write, check, asked_at=claim.asked_at)

    def _transact(
        self, step: Step, *parts: TransactWriteItemTypeDef, asked_at: float = 0.0
    ) -> None:
        translated(
            step,
            lambda: self._client.transact_write_items(TransactItems=parts),
            partial(barred, step=step, asked_at=asked_at),
        )

    def _update(self, update: Update) -> None:
        translated(update.step, lambda: self._client.update_item(**self._change(update)))

    def _new(self, record: Mapping[str, Any]) -> PutTypeDef:
        return {
            "TableName": self._table_name,
            "Item": serialized(record),
            "ConditionExpression": "attribute_not_exists(conversation_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _change(self, update: Update) -> UpdateTypeDef:
        expression, values = self._retention.of_update(update)
        return {
            "TableName": self._table_name,
            "Key": serialized(item.key_attributes(update.key)),
            "UpdateExpression": expression,
            "ConditionExpression": update.condition,
            "ExpressionAttributeValues": serialized(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
