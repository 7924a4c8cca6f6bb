"""A clock that only tests advance, and a handler that uses it."""

import time
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

PartT = TypeVar("PartT")


class VirtualClock:
    """Seconds since the epoch, starting with the present."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the time."""
        self.now += seconds


def with_clock(clock: VirtualClock, part: PartT) -> PartT:
    """Return a copy of a handler in which every `clock` and `sleep` is the virtual clock's.

    Args:
        clock: The clock.
        part: A handler, or one of the dataclasses of which it is composed.
    """
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, Any] = {}
    for name in (field.name for field in fields(part)):
        value = getattr(part, name)
        own = {"clock": clock, "sleep": clock.advance}
        changed = own.get(name) or with_clock(clock, value)
        if changed is not value:
            changes[name] = changed
    return replace(part, **changes) if changes else part
