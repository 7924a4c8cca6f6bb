"""The conversation's record as a straightforward handler writes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lambda_src.core.contract import Status
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_values import serialized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core.context import ContextObject, RecordKey
    from lambda_src.core.ledger import Failure, SentRecord

IF_NEW = "attribute_not_exists(conversation_id)"


class Records:
    """Writes conversations' records; raises what boto3 raises.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        version: Written into each record.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, version: str) -> None:
        self._client = client
        self._table_name = table_name
        self._version = version

    def create(self, context: ContextObject) -> bool:
        """Write the first record; False if one stands already, and then nothing is written."""
        record = serialized(self._first(context))
        try:
            self._client.put_item(
                TableName=self._table_name, Item=record, ConditionExpression=IF_NEW
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def replace(self, context: ContextObject) -> None:
        """Write the first record, whatever stands there."""
        record = serialized(self._first(context))
        self._client.put_item(TableName=self._table_name, Item=record)

    def finish(self, key: RecordKey, sent: SentRecord) -> None:
        """Write what was sent."""
        self._set(
            key,
            conversation_status=Status.SENT,
            message_sid=sent.sid,
            messages=[item.history_entry(sent)],
            thread_id=sent.answer.thread_id,
            initial_processing_time_ms=sent.processing_time_ms,
            updated_at=item.timestamp(sent.recorded_at),
        )

    def fail(self, key: RecordKey, failure: Failure) -> None:
        """Write `failed`, and why."""
        self._set(
            key,
            conversation_status=failure.status,
            failure=item.from_failure(failure),
            updated_at=item.timestamp(failure.at),
        )

    def _first(self, context: ContextObject) -> dict[str, object]:
        now = item.timestamp(time.time())
        return {
            **context.attributes,
            **item.key_attributes(context.key),
            "conversation_status": Status.PROCESSING,
            "task_complete": 0,
            "messages": [],
            "hand_off_to_human": False,
            "function_call": False,
            "processor_version": self._version,
            "created_at": now,
            "updated_at": now,
        }

    def _set(self, key: RecordKey, **attributes: object) -> None:
        self._client.update_item(
            TableName=self._table_name,
            Key=serialized(item.key_attributes(key)),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in attributes),
            ExpressionAttributeValues=serialized({f":{k}": v for k, v in attributes.items()}),
        )
