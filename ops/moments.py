"""Points in time as records hold them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def epoch(stored: object) -> float:
    """Epoch seconds of an ISO 8601 time; 0 for what is none."""
    try:
        return datetime.fromisoformat(str(stored)).timestamp()
    except ValueError:
        return 0.0


def changed_at(attributes: Mapping[str, Any]) -> float:
    """When a record was last changed, in epoch seconds."""
    return epoch(attributes.get("updated_at"))


def hours_since(then: float, now: float) -> float | None:
    """Hours, with one decimal; None where the time is not known."""
    return round((now - then) / 3600, 1) if then else None
