"""One conditional update of a record, as DynamoDB's expressions; workers and people make them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from lambda_src.core.context import RecordKey
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Entry
from lambda_src.services import conversation_item as item


class _Kept(Enum):
    UNCHANGED = auto()
    FOR_GOOD = auto()


UNCHANGED: Final = _Kept.UNCHANGED
FOR_GOOD: Final = _Kept.FOR_GOOD


@dataclass(frozen=True, slots=True)
class Update:
    """One conditional update, made by a step; the values' names begin with a colon.

    `kept_from` is when the record's retention begins anew (epoch seconds), if it does.
    """

    step: Step
    key: RecordKey
    expression: str
    condition: str
    values: Mapping[str, Any]
    kept_from: float | _Kept = UNCHANGED


def as_seen(update: Update, seen: Entry) -> Update:
    """The same update, only while the record's state is the one that was seen."""
    conditions = [
        update.condition,
        "conversation_status = :seen_status",
        still("lease_owner", ":seen_owner", seen.owner),
        still("attempt", ":seen_attempt", seen.attempt),
        still("lease_expires_at", ":seen_expires", seen.lease_expires_at),
    ]
    values = {
        **update.values,
        ":seen_status": seen.status,
        ":seen_owner": seen.owner,
        ":seen_attempt": seen.attempt,
        ":seen_expires": item.number(seen.lease_expires_at),
    }
    return replace(update, condition=" AND ".join(filter(None, conditions)), values=values)


def still(attribute: str, value: str, seen: str | float) -> str:
    """The condition that an attribute has the value that was seen, or was seen missing."""
    # A record that was refused, or was made by a tool, has no lease: it reads as empty.
    same = f"{attribute} = {value}"
    return same if seen else f"(attribute_not_exists({attribute}) OR {same})"
