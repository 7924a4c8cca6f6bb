"""How long messages wait at the peak, and when the backlog has been processed.

This is a fluid model: the part of the load that exceeds the throughput waits. The busiest hour is
a step, so that the real day, whose load rises gradually, is no worse.
"""

from dataclasses import dataclass
from math import inf, log, sqrt

from stacks.capacity.limits import CONCURRENCY_PER_MINUTE, INITIAL_CONCURRENCY
from stacks.capacity.model import BISECTIONS, HOUR, HOURS, Load, Processors

RARE = 10
"""A wait that occurs by chance in one of so many peak hours is taken into account."""

DEVIATIONS = 4
"""Standard deviations that random variation does not exceed: in the number of messages that arrive
in an hour, and of invocations that end, each with a full batch."""


@dataclass(frozen=True, kw_only=True)
class QueueAge:
    """The wait at the peak.

    Attributes:
        seconds: Upper bound of the age of the oldest message at the worst moment of a day;
            infinite if a day brings more than can be processed.
        backlog_seconds: The part that follows from the backlog alone.
        drained_after: Seconds from the end of the busiest hour until the backlog is processed.
    """

    seconds: float
    backlog_seconds: float
    drained_after: float


def queue_age(load: Load, processors: Processors) -> QueueAge:
    """Return the wait at the peak of each day."""
    throughput = processors.per_second
    if load.messages_per_day >= throughput * HOUR * HOURS:
        return QueueAge(seconds=inf, backlog_seconds=inf, drained_after=inf)
    backlog = max(0.0, load.peak - throughput) * HOUR
    waits = (_scaling_wait(load, processors), _random_wait(load, processors))
    return QueueAge(
        seconds=max(backlog / throughput, *waits),
        backlog_seconds=backlog / throughput,
        drained_after=backlog / (throughput - load.rest),
    )


def _scaling_wait(load: Load, processors: Processors) -> float:
    """Return the wait while Lambda increases the concurrency from its initial value.

    From the first second messages arrive at a rate p. With an initial concurrency c that grows by g
    per second, and k messages per second and invocation, k(ct + gt²/2) are processed at second t.
    The oldest one that is left arrived t minus that over p ago, at most where k(c + gt) = p.
    """
    each = processors.per_second / processors.maximum_concurrency
    needed = min(load.peak, processors.per_second) / each
    off_peak = load.rest / each  # a lower bound, since batches may have been larger than necessary
    initial = min(needed, max(INITIAL_CONCURRENCY.value, off_peak))
    growth = CONCURRENCY_PER_MINUTE.value / 60
    seconds = (needed - initial) / growth
    processed = each * (initial * seconds + growth * seconds**2 / 2)
    return seconds - processed / load.peak


def _random_wait(load: Load, processors: Processors) -> float:
    """Return the wait in an hour that random variation causes although the concurrency suffices.

    While all invocations are busy, messages accumulate, and the next invocation that ends is
    followed by one with a batch of them: a queue with bulk service, whose length is geometric with
    a ratio r. Of the moments at which an invocation ends, one in (1/r)^n has more than n messages
    waiting; n is chosen so that this occurs in one of ten such hours. (Gross and Harris,
    Fundamentals of Queueing Theory: bulk service, partial batches.) Within one hour, arrivals and
    departures vary by a few standard deviations at most.
    """
    concurrency, work = processors.maximum_concurrency, processors.work
    ends = concurrency / work.invocation_seconds(processors.mean_batch_size(load.peak))
    busy = _all_busy(concurrency, load.peak * work.invocation_seconds(1))
    occurrences = ends * RARE * HOUR * busy
    if occurrences <= 1:
        return 0.0
    waiting = log(occurrences) / -log(_ratio(load.peak, ends, processors.batch_size))
    in_an_hour = DEVIATIONS * sqrt(HOUR * (1 + processors.batch_size) / processors.per_second)
    age = min(waiting / load.peak, in_an_hour)
    if waiting > processors.in_flight:
        return age
    # No message waits longer than an invocation unless more wait than all invocations take.
    return min(age, work.max_quantile(processors.batch_size, 1 - 1 / occurrences))


def _ratio(rate: float, ends: float, batch: int) -> float:
    """Return the root between 0 and 1 of: rate + ends z^(batch+1) = (rate + ends) z."""
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_below = rate + ends * middle ** (batch + 1) > (rate + ends) * middle
        low, high = (middle, high) if is_below else (low, middle)
    return low


def _all_busy(servers: int, offered: float) -> float:
    """Return the probability that all servers are busy at an offered load (Erlang C)."""
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))
