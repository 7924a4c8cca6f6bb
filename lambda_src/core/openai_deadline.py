"""The time for one answer, over all the requests that it takes."""

import math
import time

LEAST_REQUEST_SECONDS = 1.0
"""What a request has even at the end: less would fail whatever the vendor does."""


class Deadline:
    """The end of the time for one answer.

    Args:
        seconds: How far it lies ahead.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def rest(self) -> float:
        """Seconds that are left; not above 0 once it has passed."""
        return self._ends_at - time.monotonic()

    def for_request(self, at_most: float = math.inf) -> float:
        """Seconds that the next request may take: the rest of the time, or `at_most`."""
        return max(LEAST_REQUEST_SECONDS, min(at_most, self.rest()))
