"""Which calls to allow for a load: enough of them, as large as can be, and none too many."""

from collections.abc import Iterator
from math import ceil, floor, inf

from stacks.capacity.limits import Vendors
from stacks.capacity.load import Load
from stacks.capacity.processors import Processors
from stacks.capacity.quotas import CALLS, MAPPING_CALLS
from stacks.capacity.work import Work

LARGEST_BATCH = 10
"""Messages that a queue gives to a call; more would need a window, in which messages wait."""

LEAST_CALLS = 2
"""What Lambda takes as a mapping's maximum concurrency at least."""

BUSY = 0.8
"""The part of the calls that the busiest hour may need: who plans closer waits for chance."""


def choose(load: Load, work: Work, vendors: Vendors) -> Processors:
    """Return the calls for a load: with the largest batch, since a call costs the same.

    Where no number of calls is enough without asking too much of a vendor, it is the one that gets
    the most done. Two calls of one message are the least that there is, whatever a vendor allows.
    """
    offered = list(_offers(load, work, vendors))
    enough = [offer for offer in offered if offer.per_second * BUSY >= load.peak]
    if enough:
        return enough[0]
    least = Processors(batch_size=1, maximum_concurrency=LEAST_CALLS, work=work)
    return max(offered, key=lambda offer: offer.per_second, default=least)


def _offers(load: Load, work: Work, vendors: Vendors) -> Iterator[Processors]:
    """The calls with each size of a batch that no vendor is asked too much by, largest first."""
    allowed = min((limit.per_second for limit in vendors.limits), default=inf)
    for batch in range(LARGEST_BATCH, 0, -1):
        needed = ceil(load.peak / BUSY * work.call_seconds(batch) / batch)
        most = min(CALLS.value, MAPPING_CALLS.value, allowed * work.ai_seconds / batch)
        calls = min(max(LEAST_CALLS, needed), floor(most))
        if calls >= LEAST_CALLS:
            yield Processors(batch_size=batch, maximum_concurrency=calls, work=work)
