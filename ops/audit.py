"""The audit trail: `operator_actions` of a record has who did what, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.services.dynamodb import items

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS = "operator_actions"
"""The record attribute that holds the audit entries, oldest first."""
APPEND_ENTRY = f"{ACTIONS} = list_append(if_not_exists({ACTIONS}, :no_entries), :entries)"
"""Update expression that appends `entry_values`."""


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Who makes a change (an ARN), why, and when (epoch seconds)."""

    who: str
    why: str
    at: float

    def entry(self, what: str) -> dict[str, str]:
        """Return the audit entry of a change."""
        return {"at": items.timestamp(self.at), "who": self.who, "what": what, "why": self.why}


def entry_values(entry: Mapping[str, str]) -> dict[str, Any]:
    """Return the expression values of `APPEND_ENTRY`."""
    return {":entries": [dict(entry)], ":no_entries": []}
