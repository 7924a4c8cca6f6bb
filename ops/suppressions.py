"""A channel's suppressions: recipients who must not be messaged, changed by an operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambda_src.core import EXPIRES_AT, MIN_RETENTION_DAYS, ConditionFailed, Step
from lambda_src.services.dynamodb import (
    SHARDS,
    deserialize,
    items,
    map_errors,
    partition_key,
    serialize,
    suppression_key,
)
from ops.audit import ACTIONS, APPEND_ENTRY, entry_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ops.audit import AuditContext

BY_OPERATOR = "suppressed_by_operator"
"""Reason of a suppression that an operator added; the audit entry has the operator's own words."""
ADDED, LIFTED = "suppression added", "suppression lifted"
RETENTION = timedelta(days=MIN_RETENTION_DAYS)
"""How long an item without a suppression is kept: longer than any message stays in its queues."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """A suppressed recipient, identified only by a digest.

    Attributes:
        digest: `recipient_digest` of the recipient.
        since: Start, ISO 8601.
        reason: The vendor's code that caused it, or `suppressed_by_operator`.
        actions: Audit entries: at, who, what, why.
    """

    digest: str
    since: str
    reason: str
    actions: Sequence[Mapping[str, str]] = field(default=())


def recipient_digest(channel: str, recipient: str) -> str:
    """Return the digest that identifies a recipient on a channel."""
    return suppression_key(channel, recipient)["conversation_id"]


class Suppressions:
    """The suppressions of one channel; methods raise the errors of `map_errors`.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        channel: The channel's name, such as `whatsapp`.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, channel: str) -> None:
        self._client = client
        self._table_name = table_name
        self._channel = channel

    def all(self) -> Iterator[Suppression]:
        """Yield every suppression, by digest."""
        for shard in SHARDS:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="primary_channel = :shard",
                FilterExpression="attribute_exists(suppressed_at)",
                ExpressionAttributeValues=serialize(
                    {":shard": partition_key(self._channel, shard)}
                ),
            )
            for page in pages:
                yield from (_suppression(deserialize(row)) for row in page["Items"])

    def find(self, recipient: str) -> Suppression | None:
        """Return a recipient's suppression, None if there is none."""
        stored = self._item(recipient)
        return _suppression(stored) if "suppressed_at" in stored else None

    def was_erased(self, recipient: str, requested_at: float) -> bool:
        """Return whether a recipient was erased after a request (epoch seconds)."""
        stored = self._item(recipient)
        return "erased_at" in stored and stored["erased_at"] >= requested_at

    def add(self, recipient: str, audit: AuditContext) -> bool:
        """Suppress a recipient; return False if they were suppressed already."""
        return self._update(
            recipient,
            f"SET suppressed_at = :at, suppressed_for = :reason, {APPEND_ENTRY}"
            f" REMOVE {EXPIRES_AT}",
            "attribute_not_exists(suppressed_at)",
            {
                ":at": items.timestamp(audit.at),
                ":reason": BY_OPERATOR,
                **entry_values(audit.entry(ADDED)),
            },
        )

    def lift(self, recipient: str, audit: AuditContext) -> bool:
        """Remove a recipient's suppression; return False if there was none."""
        return self._update(
            recipient,
            f"SET {EXPIRES_AT} = :end, {APPEND_ENTRY} REMOVE suppressed_at, suppressed_for",
            "attribute_exists(suppressed_at)",
            {":end": _expiry(audit.at), **entry_values(audit.entry(LIFTED))},
        )

    def mark_erased(self, recipient: str, audit: AuditContext, what: str) -> None:
        """Reject everything about a recipient that was requested until now.

        The mark outlives the queues. A suppression stays, because the recipient asked for it.
        """
        values = {":at": items.to_decimal(audit.at), **entry_values(audit.entry(what))}
        update = f"SET erased_at = :at, {APPEND_ENTRY}"
        is_free = "attribute_not_exists(suppressed_at)"
        dated = {**values, ":end": _expiry(audit.at)}
        if not self._update(recipient, f"{update}, {EXPIRES_AT} = :end", is_free, dated):
            self._update(recipient, update, "attribute_exists(conversation_id)", values)

    def _item(self, recipient: str) -> dict[str, Any]:
        found = map_errors(
            Step.SETTLE,
            lambda: self._client.get_item(
                TableName=self._table_name, Key=self._key(recipient), ConsistentRead=True
            ),
        )
        return deserialize(found.get("Item", {}))

    def _update(
        self, recipient: str, expression: str, condition: str, values: Mapping[str, Any]
    ) -> bool:
        try:
            map_errors(
                Step.RECORD,
                lambda: self._client.update_item(
                    TableName=self._table_name,
                    Key=self._key(recipient),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=serialize(values),
                ),
            )
        except ConditionFailed:
            return False
        return True

    def _key(self, recipient: str) -> dict[str, Any]:
        return serialize(suppression_key(self._channel, recipient))


def _suppression(stored: Mapping[str, Any]) -> Suppression:
    return Suppression(
        digest=stored["conversation_id"],
        since=stored["suppressed_at"],
        reason=stored.get("suppressed_for", ""),
        actions=tuple(stored.get(ACTIONS, ())),
    )


def _expiry(at: float) -> int:
    return int(at + RETENTION.total_seconds())
