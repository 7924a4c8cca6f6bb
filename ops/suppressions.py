"""A channel's suppressions: recipients who must not be messaged, changed by an operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_src.core import (
    BY_PHONE,
    EXPIRES_AT,
    MIN_RETENTION_DAYS,
    Addressing,
    ConditionFailed,
    Step,
)
from lambda_src.services.dynamodb import (
    SHARDS,
    deserialize,
    items,
    partition_key,
    serialize,
    spellings,
    suppression_key,
)
from lambda_src.services.dynamodb_service import map_errors
from ops.audit import ACTIONS, APPEND_ENTRY, entry_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from ops.audit import AuditContext

BY_OPERATOR = "suppressed_by_operator"
"""Reason of a suppression that an operator added; the audit entry has the operator's own words."""
ADDED, LIFTED = "suppression added", "suppression lifted"
ERASED = "erased:"
"""Start of the audit entry of an erasure that removed something."""
RETENTION = timedelta(days=MIN_RETENTION_DAYS)
"""How long an item without a suppression is kept: longer than any message stays in its queues."""


class Restriction(StrEnum):
    """Why the deployed function sends nothing to a recipient."""

    ERASED = "erased"
    SUPPRESSED = "suppressed"


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

    Each spelling of a recipient has its own item, and a change is made to all of them.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        channel: The channel's name, such as `whatsapp`.
        addressing: The format and the spellings of its recipients' addresses.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        channel: str,
        addressing: Addressing = BY_PHONE,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._channel = channel
        self._addressing = addressing

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
        stored = (item for item in self._items(recipient) if "suppressed_at" in item)
        return next(map(_suppression, stored), None)

    def was_erased(self, recipient: str, requested_at: float) -> bool:
        """Return whether a recipient was erased after a request (epoch seconds)."""
        return self.restriction(recipient, requested_at) is Restriction.ERASED

    def restriction(self, recipient: str, requested_at: float) -> Restriction | None:
        """Return what restricts a request (epoch seconds); an erasure has precedence."""
        found = self._items(recipient)
        if any(item.get("erased_at", -1) >= requested_at for item in found):
            return Restriction.ERASED
        is_suppressed = any("suppressed_at" in item for item in found)
        return Restriction.SUPPRESSED if is_suppressed else None

    def erasures(self, recipient: str) -> tuple[str, ...]:
        """Return when earlier erasures of a recipient removed something, ISO 8601."""
        entries = (entry for item in self._items(recipient) for entry in item.get(ACTIONS, ()))
        found = {entry["at"] for entry in entries if entry["what"].startswith(ERASED)}
        return tuple(sorted(found))

    def add(self, recipient: str, audit: AuditContext) -> bool:
        """Suppress a recipient; return False if they were suppressed already."""
        return self._update_all(
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
        return self._update_all(
            recipient,
            f"SET {EXPIRES_AT} = :end, lifted_at = :at, {APPEND_ENTRY}"
            " REMOVE suppressed_at, suppressed_for",
            "attribute_exists(suppressed_at)",
            {
                ":end": _expiry(audit.at),
                ":at": items.to_decimal(audit.at),
                **entry_values(audit.entry(LIFTED)),
            },
        )

    def mark_erased(self, recipient: str, audit: AuditContext, what: str) -> None:
        """Reject everything about a recipient that was requested until now.

        The mark outlives the queues. A suppression stays, because the recipient asked for it.
        """
        values = {":at": items.to_decimal(audit.at), **entry_values(audit.entry(what))}
        update = f"SET erased_at = :at, {APPEND_ENTRY}"
        is_free = "attribute_not_exists(suppressed_at)"
        dated = {**values, ":end": _expiry(audit.at)}
        for spelling in self._spellings(recipient):
            if not self._update(spelling, f"{update}, {EXPIRES_AT} = :end", is_free, dated):
                self._update(spelling, update, "attribute_exists(conversation_id)", values)

    def _spellings(self, recipient: str) -> tuple[str, ...]:
        return spellings(self._addressing, recipient)

    def _items(self, recipient: str) -> list[dict[str, Any]]:
        return [self._item(spelling) for spelling in self._spellings(recipient)]

    def _item(self, recipient: str) -> dict[str, Any]:
        found = map_errors(
            Step.SETTLE,
            lambda: self._client.get_item(
                TableName=self._table_name, Key=self._key(recipient), ConsistentRead=True
            ),
        )
        return deserialize(found.get("Item", {}))

    def _update_all(
        self, recipient: str, expression: str, condition: str, values: Mapping[str, Any]
    ) -> bool:
        """Update the items of all spellings; return whether any met the condition."""
        changed = [
            self._update(spelling, expression, condition, values)
            for spelling in self._spellings(recipient)
        ]
        return any(changed)

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
