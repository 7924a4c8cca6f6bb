"""When a failed message is shown again."""

import math
from random import Random, SystemRandom

from lambda_src.core.errors import ProcessingError, Redelivery
from lambda_src.core.timing import LONGEST_BACKOFF, LONGEST_REQUESTED

LONG_FACTOR = 6
"""How much longer a rate limit or a refused account waits than a passing fault."""

# Not the module's own generator: every copy that SnapStart restores would draw the same numbers.
SYSTEM_RANDOM = SystemRandom()


def seconds_until_visible(
    error: ProcessingError, receive_count: int, base: float, random: Random = SYSTEM_RANDOM
) -> int:
    """Seconds after which a failed message should be delivered again.

    Exponential by receive count, half of it at random so that messages which failed together do
    not come back together, and never sooner than a vendor asks for; unless the error knows the
    time itself.

    Args:
        error: Why the message failed.
        receive_count: How often the message was received, at least 1.
        base: The first delay, in seconds.
        random: Where the jitter comes from.
    """
    if error.again_in is not None:
        return math.ceil(min(error.again_in, LONGEST_REQUESTED) + random.random())
    if error.redelivery is Redelivery.AT_ONCE:
        return 0
    requested = min(error.retry_after or 0.0, LONGEST_REQUESTED)
    return math.ceil(max(requested, _backoff(error, receive_count, base, random)))


def _backoff(error: ProcessingError, receive_count: int, base: float, random: Random) -> float:
    factor = LONG_FACTOR if error.redelivery is Redelivery.LONG_BACKOFF else 1
    doubled: float = factor * base * 2 ** min(receive_count - 1, 20)
    return min(doubled, LONGEST_BACKOFF) * random.uniform(0.5, 1)
