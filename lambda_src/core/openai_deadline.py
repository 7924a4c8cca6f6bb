"""The time for one answer, over all the requests that it takes."""

import math
import time

from lambda_src.core.errors import Step, TransientFailure

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

    def check(self) -> None:
        """Make sure that somebody still waits for an answer, before it is paid for.

        Raises:
            TransientFailure: The time is over: this worker was held up.
        """
        if self.rest() <= 0:
            raise TransientFailure("openai_timeout", Step.AI)

    def for_request(self, at_most: float = math.inf) -> float:
        """Seconds that the next request may take: the rest of the time, or `at_most`."""
        return max(LEAST_REQUEST_SECONDS, min(at_most, self.rest()))
