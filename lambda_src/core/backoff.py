"""When a failed message is shown again."""

import math
import random

from lambda_src.core.errors import ProcessingError, Redelivery

LONGEST_BACKOFF = 900.0
"""Seconds that no backoff of ours exceeds."""
LONGEST_REQUESTED = 21_600.0
"""Seconds granted to a vendor at most: half of the 12 hours SQS allows, counted from receipt."""
LONG_FACTOR = 6
"""How much longer a rate limit or a refused account waits than a passing fault."""


def seconds_until_visible(error: ProcessingError, receive_count: int, base: float) -> int:
    """Seconds after which a failed message should be delivered again.

    What the error itself asks for goes first; else exponential by receive count, half of it at
    random so that messages which failed together do not come back together.

    Args:
        error: Why the message failed.
        receive_count: How often the message was received, at least 1.
        base: The first delay, in seconds.
    """
    if error.retry_after is not None:
        return math.ceil(min(error.retry_after, LONGEST_REQUESTED) + random.random())  # noqa: S311 - jitter
    if error.redelivery is Redelivery.AT_ONCE:
        return 0
    factor: int = LONG_FACTOR if error.redelivery is Redelivery.LONG_BACKOFF else 1
    doubled: float = factor * base * 2 ** min(receive_count - 1, 20)
    return round(min(doubled, LONGEST_BACKOFF) * random.uniform(0.5, 1))  # noqa: S311 - jitter
