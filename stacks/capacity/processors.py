"""What a channel's function gets done: Little's law over its calls."""

from dataclasses import dataclass

from stacks.capacity.work import Work

STEPS = 40
"""Halvings with which a batch's size is found; each halves what it may be off by."""


@dataclass(frozen=True, kw_only=True)
class Processors:
    """The calls of a function that run at once.

    Attributes:
        batch_size: Messages that a call gets at most.
        maximum_concurrency: Calls at once, at most.
        work: What a message takes.
    """

    batch_size: int
    maximum_concurrency: int
    work: Work

    @property
    def in_flight(self) -> int:
        """Messages that are worked on at once, at most."""
        return self.maximum_concurrency * self.batch_size

    @property
    def at_most(self) -> float:
        """The rate that is never exceeded, which is what a vendor's limit is held against.

        A message takes the AI's time at least; that other messages of its call take longer, and
        that it takes time besides, only slows things down.
        """
        return self.in_flight / self.work.ai_seconds

    @property
    def per_second(self) -> float:
        """The rate at which messages are worked off while enough of them wait."""
        return self.in_flight / self.work.call_seconds(self.batch_size)

    def batch_at(self, rate: float) -> float:
        """Return how many messages a call gets on average, at that rate.

        A call is made as soon as a message waits and a call is free. So calls are of one message
        until all of them are busy; then messages gather.
        """
        if rate >= self.per_second:
            return self.batch_size
        low, high = 1.0, float(self.batch_size)
        for _ in range(STEPS):
            middle = (low + high) / 2
            done = self.maximum_concurrency * middle / self.work.call_seconds(middle)
            low, high = (middle, high) if done < rate else (low, middle)
        return low

    def calls_at(self, rate: float) -> float:
        """Return how many calls run at once on average, at that rate."""
        batch = self.batch_at(rate)
        return min(self.maximum_concurrency, rate * self.work.call_seconds(batch) / batch)
