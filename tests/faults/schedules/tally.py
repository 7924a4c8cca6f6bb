"""Counting what the schedules were, and what they reached."""

from collections import Counter
from dataclasses import dataclass, field

from tests.faults.rules import Rule
from tests.faults.schedules.judge import RuleBroken
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.steps import Step, written
from tests.faults.schedules.universe import Universe


@dataclass
class Tally:
    """What some schedules add up to; nothing is counted any more once a rule was broken.

    `pieces` counts how often a worker went on, `schedule` is the last one that broke a rule: the
    smallest, once Hypothesis has made it so.
    """

    schedules: int = 0
    steps: int = 0
    pieces: int = 0
    reached: Counter[Reached] = field(default_factory=Counter)
    schedule: str = ""
    rules: tuple[Rule, ...] = ()
    problem: str = ""

    def count(self, steps: list[Step], universe: Universe) -> None:
        """A schedule came to its end."""
        if not self.problem:
            self.schedules += 1
            self.steps += len(steps)
            self.pieces += universe.workers.pieces
            self.reached.update(universe.world.witness.reached)

    def violated(self, steps: list[Step], problem: AssertionError) -> None:
        """A schedule broke a rule, or did not come to its end."""
        self.schedule = written(steps)
        self.problem = f"{type(problem).__name__}: {problem}"
        self.rules = problem.rules if isinstance(problem, RuleBroken) else ()
