"""When a failed message is delivered again."""

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random, SystemRandom

from lambda_src.core import time_budget
from lambda_src.core.errors import ProcessingError, Redelivery
from lambda_src.core.log import log_visibility_unchanged
from lambda_src.core.models import Delivery

LONG_BACKOFF_FACTOR = 6
"""How much longer the backoff is after a rate limit."""
_BACKOFFS = {
    Redelivery.BACKOFF: time_budget.Backoff(1, time_budget.MAX_BACKOFF, 0.5),
    Redelivery.LONG_BACKOFF: time_budget.Backoff(LONG_BACKOFF_FACTOR, time_budget.MAX_BACKOFF, 0.5),
    Redelivery.ACCOUNT_BACKOFF: time_budget.ACCOUNT_BACKOFF,
}

# Not the module's own generator: every copy that SnapStart restores would draw the same numbers.
SYSTEM_RANDOM = SystemRandom()


def redelivery_delay(
    error: ProcessingError, receive_count: int, base: float, random: Random = SYSTEM_RANDOM
) -> int:
    """Return the seconds after which a failed message should be delivered again.

    The delay grows exponentially with the receive count, and a part of it is random. It is never
    shorter than a vendor's `retry_after`. An error with `retry_in` overrides all of that.

    Args:
        error: Why the message failed.
        receive_count: How often the message was received, at least 1.
        base: The first delay, in seconds.
        random: Source of the jitter.
    """
    if error.retry_in is not None:
        return math.ceil(min(error.retry_in, time_budget.MAX_RETRY_AFTER) + random.random())
    if error.redelivery is Redelivery.AT_ONCE:
        return 0
    requested = min(error.retry_after or 0.0, time_budget.MAX_RETRY_AFTER)
    backoff = _BACKOFFS[error.redelivery]
    share = random.uniform(backoff.min_share, 1)
    return math.ceil(max(requested, backoff.seconds(receive_count, base) * share))


def schedule_redelivery(
    deliveries: Sequence[Delivery],
    errors: Mapping[str, ProcessingError],
    base: float,
    random: Random,
    change_visibility: Callable[[Mapping[str, int], float], bool],
) -> None:
    """Set when the failed messages of a batch are delivered again.

    Args:
        deliveries: The batch.
        errors: Why messages of it failed, by message id.
        base: The first delay, in seconds.
        random: Source of the jitter.
        change_visibility: Sets the seconds by receipt handle before Lambda ends the function (in
            epoch seconds), and returns whether there was time.
    """
    delays = {
        each.receipt_handle: redelivery_delay(
            errors[each.message_id], each.receive_count, base, random
        )
        for each in deliveries
        if each.message_id in errors
    }
    if not change_visibility(delays, min(each.deadline for each in deliveries)):
        log_visibility_unchanged(len(delays))
