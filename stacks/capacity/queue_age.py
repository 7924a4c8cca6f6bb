"""How long messages wait at the peak, and until they no longer do.

As water behind a weir: what comes in faster than it is worked off waits. The busiest hour is taken
for a step, so that the real day, which has slopes, is no worse.
"""

from dataclasses import dataclass
from math import inf, log, sqrt

from stacks.capacity.load import HOUR, HOURS, Load
from stacks.capacity.processors import STEPS, Processors
from stacks.capacity.quotas import FIRST_CALLS, MORE_CALLS_A_MINUTE

RARE = 10
"""Peak hours in which a wait that chance alone brings is seen once."""

DEVIATIONS = 4
"""Standard deviations that chance does not exceed: of messages that come by chance in an hour, and
of calls that end by chance and take a whole batch each."""


@dataclass(frozen=True, kw_only=True)
class QueueAge:
    """What waiting the peak leads to.

    Attributes:
        seconds: Age of the oldest message at the worst moment of the day, or more; without end
            where more comes in each day than can be worked off.
        by_backlog: The part of it that comes of more messages than can be worked off, alone.
        drained_after: Seconds from the end of the busiest hour until nobody waits for its sake.
    """

    seconds: float
    by_backlog: float
    drained_after: float


def queue_age(load: Load, processors: Processors) -> QueueAge:
    """Return how long messages wait at the peak of each day."""
    done = processors.per_second
    if load.messages_per_day >= done * HOUR * HOURS:
        return QueueAge(seconds=inf, by_backlog=inf, drained_after=inf)
    backlog = max(0.0, load.peak - done) * HOUR
    waits = (_while_calls_are_added(load, processors), _for_a_free_call(load, processors))
    return QueueAge(
        seconds=max(backlog / done, *waits),
        by_backlog=backlog / done,
        drained_after=backlog / (done - load.rest),
    )


def _while_calls_are_added(load: Load, processors: Processors) -> float:
    """Lambda begins with a few calls and adds to them; until they are enough, messages wait.

    Messages come at a rate p from the first second on. Calls, each of which works off k messages a
    second, are c at first and grow by g a second: at second t, k(ct + gt²/2) are worked off, and
    the oldest that is left came t minus that over p ago. That is longest when k(c + gt) is p.
    """
    each = processors.per_second / processors.maximum_concurrency
    needed = min(load.peak, processors.per_second) / each
    before = load.rest / each  # no fewer than these: batches may have been fuller than they had to
    at_first = min(needed, max(FIRST_CALLS.value, before))
    growth = MORE_CALLS_A_MINUTE.value / 60
    until = (needed - at_first) / growth
    worked_off = each * (at_first * until + growth * until**2 / 2)
    return until - worked_off / load.peak


def _for_a_free_call(load: Load, processors: Processors) -> float:
    """What chance alone makes a message wait in an hour, though there are calls enough.

    While all calls are busy, messages gather, and whichever call ends first takes a batch of them:
    a queue with bulk service, whose length is geometric with a ratio r. So of the moments at which
    a call ends, one in (1/r)^n finds more than n waiting; n is such that it happens in one of ten
    such hours. (Gross and Harris, Fundamentals of Queueing Theory: bulk service, partial batches.)
    An hour is too short for more than a few deviations of what comes and goes in it.
    """
    calls = processors.maximum_concurrency
    ends = calls / processors.work.call_seconds(processors.batch_at(load.peak))
    often = ends * RARE * HOUR * _all_busy(calls, load.peak * processors.work.call_seconds(1))
    if often <= 1:
        return 0.0
    waiting = log(often) / -log(_ratio(load.peak, ends, processors.batch_size))
    in_an_hour = DEVIATIONS * sqrt(HOUR * (1 + processors.batch_size) / processors.per_second)
    age = min(waiting / load.peak, in_an_hour)
    # Only when more wait than all calls take does anybody wait for longer than a call takes.
    return age if waiting > processors.in_flight else min(age, _longest_call(processors, often))


def _longest_call(processors: Processors, often: float) -> float:
    return processors.work.longest_quantile(processors.batch_size, 1 - 1 / often)


def _ratio(rate: float, ends: float, batch: int) -> float:
    """The root between 0 and 1 of: rate + ends z^(batch+1) = (rate + ends) z."""
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(STEPS):
        middle = (low + high) / 2
        is_below = rate + ends * middle ** (batch + 1) > (rate + ends) * middle
        low, high = (middle, high) if is_below else (low, middle)
    return low


def _all_busy(calls: int, offered: float) -> float:
    """Erlang's C: how likely all calls are busy, with so many calls' work offered on average."""
    if offered >= calls:
        return 1.0
    blocked = 1.0
    for number in range(1, calls + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / calls * (1 - blocked))
