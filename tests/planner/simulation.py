"""Discrete-event simulation of a channel's busiest hour, compared with the planner's arithmetic.

It implements the rules of an event source mapping and random durations, and none of the arithmetic.
`python -m tests.planner.simulation` runs all cases and writes the table of docs/capacity.md.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from math import inf
from random import Random
from typing import NamedTuple

from planner.document import CAPACITY, format_seconds, markdown_table, with_table
from stacks.capacity import HOUR, Load, Processors, ServiceTime, choose_processors, queue_age
from stacks.capacity.limits import CONCURRENCY_PER_MINUTE, INITIAL_CONCURRENCY, VendorLimits

WARM_UP_SECONDS = 300.0
"""Simulated part of an ordinary hour before the busiest one."""
GRAIN_SECONDS = 0.02
"""Messages that arrive within this time arrive together, which keeps high rates affordable."""
BACKLOG_TOLERANCE = 0.05
"""Largest difference of a backlog's age, as a share of an hour."""
BATCH_TOLERANCE = 0.2
"""Largest relative difference of the mean batch."""


class Observation(NamedTuple):
    """What happened in and after the busiest hour; times are in seconds.

    The largest age of a received message, the mean number of messages of an invocation, and the
    time from the end of the hour until the queue was empty.
    """

    oldest: float
    mean_batch: float
    drained_after: float


class _Hour:
    """Simulates a busiest hour after part of an ordinary one, until the queue is empty."""

    def __init__(self, load: Load, processors: Processors) -> None:
        self._load, self._processors = load, processors
        self._random = Random(1)  # noqa: S311 - not for security
        self._waiting: deque[tuple[float, int]] = deque()
        self._ends: list[float] = []
        self._allowed = min(INITIAL_CONCURRENCY.value, processors.maximum_concurrency)
        self._oldest = 0.0
        self._received = self._batches = 0

    def run(self) -> Observation:
        peak_ends = WARM_UP_SECONDS + HOUR
        arrivals, tick, in_peak = self._arrivals(), 1.0, False
        arrival, count = next(arrivals)
        while True:
            now = min(arrival, tick, self._ends[0] if self._ends else inf)
            if now > peak_ends and not self._waiting:
                break
            if not in_peak and now > WARM_UP_SECONDS:
                in_peak, self._oldest, self._received, self._batches = True, 0.0, 0, 0
            if now == arrival:
                self._waiting.append((now, count))
                arrival, count = next(arrivals)
            elif now == tick:
                self._scale_up()
                tick += 1
            else:
                heapq.heappop(self._ends)
            self._invoke(now)
            drained_at = now
        mean_batch = self._received / self._batches
        return Observation(self._oldest, mean_batch, max(0.0, drained_at - peak_ends))

    def _arrivals(self) -> Iterator[tuple[float, int]]:
        """Yield time and number of messages; the gaps are exponential."""
        load, now = self._load, 0.0
        chance, peak_ends = self._random.expovariate, WARM_UP_SECONDS + HOUR
        for rate, until in ((load.rest, WARM_UP_SECONDS), (load.peak, peak_ends), (load.rest, inf)):
            following = now + chance(rate)
            while following < until:
                begin, count = following, 0
                while following < min(until, begin + GRAIN_SECONDS):
                    count += 1
                    following += chance(rate)
                yield begin, count
            now = until

    def _scale_up(self) -> None:
        """Add the invocations of a second, if messages wait."""
        if self._waiting:
            more = self._allowed + CONCURRENCY_PER_MINUTE.value / 60
            self._allowed = min(self._processors.maximum_concurrency, more)

    def _invoke(self, now: float) -> None:
        work = self._processors.work
        while self._waiting and len(self._ends) < self._allowed:
            received = self._receive(now)
            chance = 1.0 - self._random.random()  # never 0, which has no quantile
            heapq.heappush(self._ends, now + work.max_quantile(received, chance))
            self._received += received
            self._batches += 1

    def _receive(self, now: float) -> int:
        """Take up to a batch of waiting messages, oldest first; return their number."""
        room = self._processors.batch_size
        while self._waiting and room:
            since, count = self._waiting.popleft()
            self._oldest = max(self._oldest, now - since)
            taken = min(count, room)
            room -= taken
            if taken < count:
                self._waiting.appendleft((since, count - taken))
        return self._processors.batch_size - room


def name_of(load: Load, processors: Processors) -> str:
    size = f"{processors.maximum_concurrency} x {processors.batch_size}"
    return f"{load.messages_per_day:,.0f} per day, {size}, AI {processors.work.ai_seconds:g} s"


def compare(load: Load, processors: Processors) -> tuple[tuple[str, ...], list[str]]:
    """Plan and simulate a case.

    Returns:
        The row of the document's table, and each figure that differs by more than its tolerance.
    """
    planned, (oldest, batch, drained) = queue_age(load, processors), _Hour(load, processors).run()
    planned_batch, differences = processors.mean_batch_size(load.peak), []
    if load.peak > processors.per_second:
        if abs(planned.backlog_seconds - oldest) > BACKLOG_TOLERANCE * HOUR:
            differences.append(f"oldest {oldest:,.0f} s, planned {planned.backlog_seconds:,.0f} s")
        if abs(planned.drained_after - drained) > 2 * BACKLOG_TOLERANCE * HOUR:
            differences.append(f"drained {drained:,.0f} s, planned {planned.drained_after:,.0f} s")
    elif oldest > planned.seconds + processors.work.own_seconds:
        differences.append(f"oldest {oldest:,.1f} s, planned at most {planned.seconds:,.1f} s")
    if abs(planned_batch / batch - 1) > BATCH_TOLERANCE:
        differences.append(f"batches of {batch:.2f}, planned {planned_batch:.2f}")
    ages = map(format_seconds, (planned.seconds, oldest))
    name, rate = name_of(load, processors), f"{load.peak:,.2f}/s"
    return (name, rate, *ages, f"{planned_batch:.2f}", f"{batch:.2f}"), differences


def _chosen(messages_per_day: float, work: ServiceTime) -> tuple[Load, Processors]:
    load = Load(messages_per_day=messages_per_day)
    return load, choose_processors(load, work, VendorLimits())


def _given(day: float, concurrency: int, batch: int, work: ServiceTime) -> tuple[Load, Processors]:
    processors = Processors(batch_size=batch, maximum_concurrency=concurrency, work=work)
    return Load(messages_per_day=day), processors


_QUICK, _SLOW = ServiceTime(ai_seconds=2), ServiceTime(ai_seconds=10, spread=0.7)

CASES = (
    *(_chosen(day, _QUICK) for day in (1e4, 1e5, 1e6, 5e6, 2e7, 5e7)),
    *(_chosen(day, _SLOW) for day in (1e4, 1e5, 1e6, 5e6)),
    _given(2e5, 2, 10, _QUICK),
    _given(3e6, 30, 10, _QUICK),
    _given(2e7, 200, 10, _QUICK),
    _given(1e6, 32, 10, _SLOW),
    _given(1.8e6, 160, 1, _QUICK),
)
"""Ten thousand messages per day and more; the last five have scarce concurrency."""

HEAD = ("case", "at the peak", "oldest: planned", "seen", "mean batch: planned", "seen")


def write() -> None:
    """Write the table of docs/capacity.md.

    Raises:
        SystemExit: A figure differs by more than its tolerance.
    """
    compared = [compare(*case) for case in CASES]
    table = markdown_table(HEAD, [row for row, _ in compared])
    CAPACITY.write_text(with_table(CAPACITY.read_text("utf-8"), "simulated", table), "utf-8")
    if different := {row[0]: differences for row, differences in compared if differences}:
        raise SystemExit(str(different))


if __name__ == "__main__":
    write()
