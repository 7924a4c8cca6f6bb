"""Following a message to its end, by its conversation's record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lambda_src.core.contract import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_src.core.context import RecordKey
    from ops.register import Record, Register

ENDS = frozenset({Status.SENT, Status.FAILED, Status.SEND_UNKNOWN})
"""States in which nothing more happens by itself."""
POLL_SECONDS = 0.5


def follow(
    register: Register,
    key: RecordKey,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Record | None]:
    """Yield the record again and again, until its conversation's end or until the time is over.

    Args:
        register: The table.
        key: The conversation's.
        seconds: How long to follow it.
        sleep: Waits between two looks.
        clock: Monotonic seconds.
    """
    ends_at = clock() + seconds
    while True:
        record = register.read(key)
        yield record
        is_over = record is not None and record.entry is not None and record.entry.status in ENDS
        if is_over or clock() >= ends_at:
            return
        sleep(POLL_SECONDS)
