"""Counting what the schedules were, and what they reached."""

from collections import Counter
from dataclasses import dataclass, field

from tests.faults.schedules.judge import Problem
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.steps import Step
from tests.faults.schedules.universe import Universe


@dataclass
class Tally:
    """What some schedules add up to; nothing is counted any more once a rule was broken.

    Attributes:
        schedules: How many came to their end.
        steps: How many decisions they were made of.
        pieces: How often a worker went on from one outside call to the next.
        reached: In how many of them each turn of events was reached.
        broken: The schedule that broke a rule, and the problem.
    """

    schedules: int = 0
    steps: int = 0
    pieces: int = 0
    reached: Counter[Reached] = field(default_factory=Counter)
    broken: tuple[tuple[Step, ...], Problem] | None = None

    def count(self, steps: list[Step], universe: Universe) -> None:
        """A schedule came to its end."""
        if not self.broken:
            self.schedules += 1
            self.steps += len(steps)
            self.pieces += len(universe.workers.story)
            self.reached.update(universe.world.witness.reached)
