"""Chooses batch size and concurrency for a load."""

from collections.abc import Iterator
from math import ceil, floor, inf

from stacks.capacity.limits import ACCOUNT_CONCURRENCY, MAPPING_CONCURRENCY, VendorLimits
from stacks.capacity.model import Load, Processors, ServiceTime

MAX_BATCH_SIZE = 10
"""The maximum for a queue without a batching window, in which messages would wait."""

MIN_CONCURRENCY = 2
"""Lambda's minimum for the maximum concurrency of a mapping."""

UTILIZATION = 0.8
"""The share of the throughput that the busiest hour may use; the rest absorbs variation."""


def choose_processors(load: Load, work: ServiceTime, vendors: VendorLimits) -> Processors:
    """Return the processors for a load, with the largest batch, since invocations cost the same.

    If no concurrency suffices within the vendors' limits, the result is the one with the highest
    throughput within them, and never less than two invocations of one message.
    """
    candidates = list(_candidates(load, work, vendors))
    sufficient = [each for each in candidates if each.per_second * UTILIZATION >= load.peak]
    if sufficient:
        return sufficient[0]
    minimum = Processors(batch_size=1, maximum_concurrency=MIN_CONCURRENCY, work=work)
    return max(candidates, key=lambda each: each.per_second, default=minimum)


def _candidates(load: Load, work: ServiceTime, vendors: VendorLimits) -> Iterator[Processors]:
    """Yield the processors with each batch size within the vendors' limits, the largest first."""
    allowed = min((limit.per_second for limit in vendors.limits), default=inf)
    for batch in range(MAX_BATCH_SIZE, 0, -1):
        needed = ceil(load.peak / UTILIZATION * work.invocation_seconds(batch) / batch)
        possible = allowed * work.ai_seconds / batch
        maximum = min(ACCOUNT_CONCURRENCY.value, MAPPING_CONCURRENCY.value, possible)
        concurrency = min(max(MIN_CONCURRENCY, needed), floor(maximum))
        if concurrency >= MIN_CONCURRENCY:
            yield Processors(batch_size=batch, maximum_concurrency=concurrency, work=work)
