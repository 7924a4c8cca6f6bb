"""Suppressions: who is not to be written to on a channel, as a person on duty changes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambda_src.core.contract import EXPIRES_AT, LEAST_RETENTION_DAYS
from lambda_src.core.errors import Step
from lambda_src.core.ledger import ConditionFailed
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_errors import translated
from lambda_src.services.dynamodb_values import deserialized, serialized
from lambda_src.services.recipient_marks import SHARDS, key_of, partition
from ops.register_writes import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ops.register_writes import Signature

BY_OPERATOR = "suppressed_by_operator"
"""The reason of a suppression that no vendor asked for; why it was added stands in its line."""
ADDED, LIFTED = "suppression added", "suppression lifted"
KEPT = timedelta(days=LEAST_RETENTION_DAYS)
"""How long a mark is kept that suppresses nobody: longer than any message stays in its queues."""

_LINE = f"{ACTIONS} = list_append(if_not_exists({ACTIONS}, :none), :line)"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A recipient who is not written to, known by a digest alone.

    Attributes:
        digest: Tells suppressions apart; `digest_of` a recipient finds theirs.
        since: When it began, ISO 8601.
        reason: The vendor's code that brought it, or `suppressed_by_operator`.
        actions: What people did to it: at, who, what, why.
    """

    digest: str
    since: str
    reason: str
    actions: Sequence[Mapping[str, str]] = field(default=())


def digest_of(channel: str, recipient: str) -> str:
    """What a recipient is known by on a channel."""
    return key_of(channel, recipient)["conversation_id"]


class Suppressions:
    """A channel's suppressions; errors are those of `lambda_src.services.dynamodb_errors`.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        channel: Such as `whatsapp`.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, channel: str) -> None:
        self._client = client
        self._table_name = table_name
        self._channel = channel

    def all(self) -> Iterator[Suppression]:
        """Everybody who is suppressed, by digest."""
        for shard in SHARDS:
            yield from self._in(partition(self._channel, shard))

    def find(self, recipient: str) -> Suppression | None:
        """A recipient's suppression, None where they may be written to."""
        stored = self._mark(recipient)
        return _suppression(stored) if "suppressed_at" in stored else None

    def was_erased(self, recipient: str, asked_at: float) -> bool:
        """Whether a recipient was erased after something was asked for (epoch seconds)."""
        return "erased_at" in (mark := self._mark(recipient)) and mark["erased_at"] >= asked_at

    def add(self, recipient: str, signature: Signature) -> bool:
        """Suppress a recipient; whether they were not suppressed before."""
        return self._change(
            recipient,
            f"SET suppressed_at = :at, suppressed_for = :reason, {_LINE} REMOVE {EXPIRES_AT}",
            "attribute_not_exists(suppressed_at)",
            {
                ":at": item.timestamp(signature.at),
                ":reason": BY_OPERATOR,
                **_line(signature, ADDED),
            },
        )

    def lift(self, recipient: str, signature: Signature) -> bool:
        """Let a recipient be written to again; whether they were suppressed."""
        return self._change(
            recipient,
            f"SET {EXPIRES_AT} = :end, {_LINE} REMOVE suppressed_at, suppressed_for",
            "attribute_exists(suppressed_at)",
            {":end": _end(signature.at), **_line(signature, LIFTED)},
        )

    def mark_erased(self, recipient: str, signature: Signature, what: str) -> None:
        """Let nothing that was asked for until now bring the recipient back into the table.

        The mark outlasts the queues; a suppression stays, since it is what the person asked for.
        """
        values = {":at": item.number(signature.at), **_line(signature, what)}
        marked = f"SET erased_at = :at, {_LINE}"
        is_free = "attribute_not_exists(suppressed_at)"
        dated = {**values, ":end": _end(signature.at)}
        if not self._change(recipient, f"{marked}, {EXPIRES_AT} = :end", is_free, dated):
            self._change(recipient, marked, "attribute_exists(conversation_id)", values)

    def _mark(self, recipient: str) -> dict[str, Any]:
        found = translated(
            Step.SETTLE,
            lambda: self._client.get_item(
                TableName=self._table_name, Key=self._key(recipient), ConsistentRead=True
            ),
        )
        return deserialized(found.get("Item", {}))

    def _in(self, shard: str) -> Iterator[Suppression]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :shard",
            FilterExpression="attribute_exists(suppressed_at)",
            ExpressionAttributeValues=serialized({":shard": shard}),
        )
        for page in pages:
            yield from (_suppression(deserialized(row)) for row in page["Items"])

    def _change(
        self, recipient: str, expression: str, condition: str, values: Mapping[str, Any]
    ) -> bool:
        try:
            translated(
                Step.RECORD,
                lambda: self._client.update_item(
                    TableName=self._table_name,
                    Key=self._key(recipient),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=serialized(values),
                ),
            )
        except ConditionFailed:
            return False
        return True

    def _key(self, recipient: str) -> dict[str, Any]:
        return serialized(key_of(self._channel, recipient))


def _suppression(stored: Mapping[str, Any]) -> Suppression:
    return Suppression(
        digest=stored["conversation_id"],
        since=stored["suppressed_at"],
        reason=stored.get("suppressed_for", ""),
        actions=tuple(stored.get(ACTIONS, ())),
    )


def _line(signature: Signature, what: str) -> dict[str, Any]:
    return {":line": [signature.line(what)], ":none": []}


def _end(at: float) -> int:
    return int(at + KEPT.total_seconds())
