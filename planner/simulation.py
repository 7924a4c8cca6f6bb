"""A channel's busiest hour, message by message: what the planner's arithmetic is held against.

It knows the rules of an event source mapping and how long calls take, and none of the arithmetic.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any

from simpy import Environment, Event

from stacks.capacity.load import HOUR, Load
from stacks.capacity.processors import Processors
from stacks.capacity.quotas import FIRST_CALLS, MORE_CALLS_A_MINUTE

Course = Generator[Event, Any, None]
"""What happens one after the other, each at its time."""

BEFORE_SECONDS = 300.0
"""Of an ordinary hour, before the busiest one begins."""

GRAIN_SECONDS = 0.02
"""Messages that come within so short a time come together: rates of thousands stay affordable."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What happened in and after the busiest hour.

    Attributes:
        messages: Messages of the hour.
        oldest: Seconds that the oldest message had waited at most.
        mean_wait: Seconds that a message waited on average.
        mean_batch: Messages that a call got on average.
        drained_after: Seconds from the hour's end until nobody waited.
    """

    messages: int
    oldest: float
    mean_wait: float
    mean_batch: float
    drained_after: float


def simulate(load: Load, processors: Processors, *, seed: int = 1) -> Seen:
    """Play a busiest hour after a while of an ordinary one, until nobody waits.

    Args:
        load: How many messages come.
        processors: What works on them; each day has to suffice for a day's messages.
        seed: Chooses when messages come and how long the AI takes.
    """
    return _Hour(load, processors, Random(seed)).play()  # noqa: S311 - chance, not secrecy


class _Hour:
    def __init__(self, load: Load, processors: Processors, random: Random) -> None:
        self._load = load
        self._processors = processors
        self._random = random
        self._time = Environment()
        self._waiting: deque[tuple[float, int]] = deque()
        self._allowed = min(FIRST_CALLS.value, processors.maximum_concurrency)
        self._running = 0
        self._oldest = self._waited = 0.0
        self._served = self._calls = 0

    def play(self) -> Seen:
        time = self._time
        time.process(self._arrive(self._load.rest, until=BEFORE_SECONDS))
        time.process(self._add_calls())
        time.run(until=BEFORE_SECONDS)
        self._oldest = self._waited = 0.0
        self._served = self._calls = 0
        time.process(self._arrive(self._load.peak, until=BEFORE_SECONDS + HOUR))
        time.run(until=BEFORE_SECONDS + HOUR)
        begun = self._served
        waiting = sum(count for _, count in self._waiting)
        time.process(self._arrive(self._load.rest, until=float("inf")))
        while self._waiting:
            time.step()
        return Seen(
            messages=begun + waiting,
            oldest=self._oldest,
            mean_wait=self._waited / self._served,
            mean_batch=self._served / self._calls,
            drained_after=time.now - BEFORE_SECONDS - HOUR,
        )

    def _arrive(self, rate: float, *, until: float) -> Course:
        """Messages by chance, at a rate; those of one grain come together."""
        following = self._time.now + self._random.expovariate(rate)
        while following < until:
            yield self._time.timeout(following - self._time.now)
            begin, count = following, 0
            while following < min(until, begin + GRAIN_SECONDS):
                count += 1
                following += self._random.expovariate(rate)
            self._waiting.append((begin, count))
            self._begin_calls()

    def _add_calls(self) -> Course:
        """Each second, while messages wait."""
        most = self._processors.maximum_concurrency
        while True:
            yield self._time.timeout(1)
            if self._waiting:
                self._allowed = min(most, self._allowed + MORE_CALLS_A_MINUTE.value / 60)
                self._begin_calls()

    def _begin_calls(self) -> None:
        while self._waiting and self._running < self._allowed:
            taken = self._take(self._processors.batch_size)
            self._running += 1
            self._calls += 1
            self._served += taken
            call = self._time.timeout(self._processors.work.longest_quantile(taken, self._chance()))
            call.callbacks.append(self._end_call)

    def _take(self, room: int) -> int:
        """Take waiting messages, the oldest first; return how many."""
        taken = 0
        while self._waiting and taken < room:
            since, count = self._waiting.popleft()
            share = min(count, room - taken)
            age = self._time.now - since
            self._oldest = max(self._oldest, age)
            self._waited += share * age
            taken += share
            if share < count:
                self._waiting.appendleft((since, count - share))
        return taken

    def _end_call(self, _: Any) -> None:
        self._running -= 1
        self._begin_calls()

    def _chance(self) -> float:
        return 1.0 - self._random.random()  # never 0, for which no quantile is
