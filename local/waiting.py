"""Waiting for what another process is about to do."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.1

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], seconds: float) -> T | None:
    """Look again and again until something is there.

    Args:
        look: returns it, or something false while it is not there.
        seconds: how long to wait at most.

    Returns:
        What was seen last.
    """
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return seen
