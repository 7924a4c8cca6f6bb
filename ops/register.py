"""The conversations table as a person on duty reads and changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.core.contract import Status
from lambda_src.core.errors import RecordForeign, Step
from lambda_src.services import conversation_item as item
from lambda_src.services.conversation_entry import to_entry
from lambda_src.services.dynamodb_errors import too_large, translated
from lambda_src.services.dynamodb_values import deserialized, is_larger_than, serialized
from ops.register_writes import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core.context import ContextObject, RecordKey
    from lambda_src.core.ledger import Entry, Failure
    from lambda_src.services.dynamodb_update import Update
    from lambda_src.services.retention import Retention
    from ops.register_writes import Signature

STATUS = "conversation_status"
WRITTEN_BY = "by-hand"
"""`processor_version` of a record that a person made."""


@dataclass(frozen=True, slots=True)
class Record:
    """A conversation's record: its attributes, and what the ledger reads out of them.

    `entry` is None where the record's status is none of the ledger's.
    """

    attributes: Mapping[str, Any]
    entry: Entry | None

    @classmethod
    def of_item(cls, stored: Mapping[str, Any]) -> Record:
        """Read an item as it stands in DynamoDB."""
        try:
            entry = to_entry(stored, Step.SETTLE)
        except RecordForeign:
            entry = None
        return cls(deserialized(stored), entry)

    @property
    def status(self) -> str:
        """The ledger's state, or whatever stands there."""
        return str(self.entry.status if self.entry else self.attributes["conversation_status"])


class Register:
    """The table; each change names what was seen, and is refused if that has changed.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        retention: How long the environment keeps records.

    Every method raises the `ProcessingError`s of `lambda_src.services.dynamodb_errors.translated`,
    and those that change something `ConditionFailed`.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, retention: Retention) -> None:
        self._client = client
        self._table_name = table_name
        self._retention = retention

    def read(self, key: RecordKey) -> Record | None:
        """A conversation's record, None if there is none."""
        found = translated(
            Step.SETTLE,
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=serialized(item.key_attributes(key)),
                ConsistentRead=True,
            ),
        )
        return Record.of_item(found["Item"]) if "Item" in found else None

    def all(self, **wanted: str) -> Iterator[Record]:
        """Records whose attributes have these values; reads the whole table, page by page."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name, **_filter(wanted)
        )
        return (Record.of_item(row) for page in pages for row in page["Items"])

    def apply(self, update: Update) -> None:
        """Make one conditional change."""
        expression, values = self._retention.of_update(update)
        translated(
            update.step,
            lambda: self._client.update_item(
                TableName=self._table_name,
                Key=serialized(item.key_attributes(update.key)),
                UpdateExpression=expression,
                ConditionExpression=update.condition,
                ExpressionAttributeValues=serialized(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
        )

    def close_absent(self, key: RecordKey, failure: Failure, line: Mapping[str, str]) -> None:
        """Make the record of a conversation that has none: it ended, for the failure's reason."""
        self._make(item.rejection(key, failure, None, WRITTEN_BY), failure.at, line)

    def open(self, context: ContextObject, failure: Failure, line: Mapping[str, str]) -> None:
        """Make the record of a conversation that has none, for a worker to take over."""
        begun = item.rejection(context.key, failure, context.request_id, WRITTEN_BY)
        self._make({**context.attributes, **begun}, failure.at, line)

    def admit(
        self, context: ContextObject, seen: Record, signature: Signature, line: Mapping[str, str]
    ) -> None:
        """Release a conversation that was refused before it was claimed.

        Its record knows nothing of the context object; a worker that takes it over would leave it
        so, and therefore everything is written here.

        Raises:
            PermanentFailure: The record would be too large.
        """
        old = {name: value for name, value in seen.attributes.items() if name != "failure"}
        record = {
            **context.attributes,
            **old,
            "request_id": context.request_id,
            "conversation_status": Status.RETRY,
            "updated_at": item.timestamp(signature.at),
            ACTIONS: [*seen.attributes.get(ACTIONS, []), dict(line)],
        }
        unchanged = (
            "conversation_status = :failed AND attribute_not_exists(lease_owner)"
            " AND updated_at = :seen"
        )
        values = {":failed": Status.FAILED, ":seen": seen.attributes["updated_at"]}
        self._put(record, signature.at, unchanged, values)

    def _make(self, record: Mapping[str, Any], at: float, line: Mapping[str, str]) -> None:
        signed = {**record, ACTIONS: [dict(line)]}
        self._put(signed, at, "attribute_not_exists(conversation_id)", {})

    def _put(
        self, record: Mapping[str, Any], at: float, condition: str, values: Mapping[str, Any]
    ) -> None:
        kept = self._retention.of_record(record, at)
        if is_larger_than(item.LARGEST, kept):
            raise too_large(Step.CLAIM)
        options: dict[str, Any] = {"ExpressionAttributeValues": serialized(values)}
        translated(
            Step.RECORD,
            lambda: self._client.put_item(
                TableName=self._table_name,
                Item=serialized(kept),
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **(options if values else {}),
            ),
        )


def _filter(wanted: Mapping[str, str]) -> dict[str, Any]:
    names = {f"#{name}": name for name in wanted}
    values = serialized({f":{name}": value for name, value in wanted.items()})
    # Recipients' marks stand in the same table, and are nobody's conversation.
    conditions = [f"attribute_exists({STATUS})", *(f"#{name} = :{name}" for name in wanted)]
    options = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {"FilterExpression": " AND ".join(conditions), **(options if wanted else {})}
