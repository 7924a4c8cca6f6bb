"""What the tool shows by default: ids, states, codes and numbers, and nothing about a person."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "•••"

OPEN = frozenset(
    {
        "conversation_id",
        "conversation_status",
        "company_id",
        "project_id",
        "project_status",
        "request_id",
        "channel_method",
        "comms_consent",
        "message_sid",
        "thread_id",
        "message_id",
        "task_complete",
        "initial_processing_time_ms",
        "processor_version",
        "router_version",
        "hand_off_to_human",
        "function_call",
        "attempt",
        "settle_looks",
        "lease_expires_at",
        "send_intent_at",
        "send_deadline",
        "created_at",
        "updated_at",
        "expires_at",
        "failure",
        "operator_actions",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "timestamp",
        "role",
        "messages",
    }
)
"""Fields that say nothing about a person; what is not named here is masked, new fields too."""

WITHIN = frozenset({"failure", "operator_actions"})
"""Fields that are open with all that stands in them."""

_NUMBER = re.compile(r"\+\d{4,}")


def number(value: str) -> str:
    """A phone number, told apart from others by its ends: `+4…23`."""
    return f"{value[:2]}…{value[-2:]}" if _NUMBER.fullmatch(value) else MASK


def record(attributes: Mapping[str, Any], *, show: bool) -> dict[str, Any]:
    """A record's attributes, with personal data only where `show` says so."""
    if show:
        return dict(attributes)
    return {name: _field(name, value) for name, value in attributes.items()}


def recipient(value: str, *, show: bool) -> str:
    """Whom a conversation is with."""
    return value if show else number(value)


def _field(name: str, value: Any) -> Any:
    if name in WITHIN:
        return value
    if name == "primary_channel":
        return number(str(value))
    if name not in OPEN:
        return MASK
    if isinstance(value, list):
        return [record(each, show=False) if isinstance(each, Mapping) else MASK for each in value]
    return value
