"""DynamoDB's transactions in moto: applied whole or not at all, also under concurrency.

moto undoes a cancelled transaction by restoring a copy of the whole table, which also reverts
concurrent writes and takes time with every transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any
from unittest.mock import patch

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend

Operation = dict[str, Any]
Reason = tuple[str | None, str | None, Any]

_FULFILLED: Reason = (None, None, None)
_FAILED = ("ConditionalCheckFailed", "The conditional request failed")
_one_at_a_time = RLock()


@contextmanager
def atomic_transactions() -> Iterator[None]:
    """Let moto check all conditions first, and write only if all of them are true."""
    with patch.object(DynamoDBBackend, "transact_write_items", _transact_write_items):
        yield


def _transact_write_items(backend: DynamoDBBackend, transact_items: Sequence[Any]) -> None:
    parts = [(kind, part) for item in transact_items for kind, part in item.items()]
    with _one_at_a_time:
        reasons = [_reason(backend, part) for _, part in parts]
        if any(code for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        for kind, part in parts:
            _apply(backend, kind, part)


def _reason(backend: DynamoDBBackend, part: Operation) -> Reason:
    if "ConditionExpression" not in part:
        return _FULFILLED
    found = backend.get_item(part["TableName"], _key(backend, part))
    condition = get_filter_expression(
        part["ConditionExpression"],
        part.get("ExpressionAttributeNames"),
        part.get("ExpressionAttributeValues"),
    )
    if condition.expr(found):
        return _FULFILLED
    logged = part.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return (*_FAILED, found.to_json()["Attributes"] if found and logged else None)


def _key(backend: DynamoDBBackend, part: Operation) -> dict[str, Any]:
    if "Key" in part:
        key: dict[str, Any] = part["Key"]
        return key
    table = backend.get_table(part["TableName"])
    return {name: part["Item"][name] for name in table.table_key_attrs}


def _apply(backend: DynamoDBBackend, kind: str, part: Operation) -> None:
    if kind == "Put":
        backend.put_item(part["TableName"], part["Item"])
    elif kind == "Delete":
        backend.delete_item(part["TableName"], part["Key"])
    elif kind == "Update":
        backend.update_item(
            part["TableName"],
            part["Key"],
            update_expression=part["UpdateExpression"],
            expression_attribute_names=part.get("ExpressionAttributeNames", {}),
            expression_attribute_values=part.get("ExpressionAttributeValues", {}),
        )
