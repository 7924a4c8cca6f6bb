"""What came of many schedules."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.judged import Judged, Verdict
from tests.faults.rules import Rule
from tests.faults.schedules.reached import Reached


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A schedule that broke the promise.

    Attributes:
        seed: What the schedule was made of; the same seed makes it again.
        rules: The rules that were broken.
        problem: What shows it.
        schedule: The smallest schedule found that shows it, on one line.
        is_unresolved: Whether a conversation ended without anybody hearing of it.
    """

    seed: int
    rules: tuple[Rule, ...]
    problem: str
    schedule: str
    is_unresolved: bool = False

    @property
    def command(self) -> str:
        """What replays exactly this schedule, and tells its story."""
        return f"python -m tests.faults schedules --replay {self.schedule!r}"


@dataclass(frozen=True, kw_only=True)
class SchedulesResult(Judged):
    """How many schedules there were, what they were made of and reached, and what they broke."""

    schedules: int = 0
    steps: int = 0
    pieces: int = 0
    reached: Counter[Reached] = field(default_factory=Counter)
    violations: tuple[Violation, ...] = ()

    def __add__(self, other: "SchedulesResult") -> "SchedulesResult":
        return SchedulesResult(
            schedules=self.schedules + other.schedules,
            steps=self.steps + other.steps,
            pieces=self.pieces + other.pieces,
            reached=self.reached + other.reached,
            violations=self.violations + other.violations,
        )

    @property
    def unreached(self) -> tuple[Reached, ...]:
        """The turns of events that no schedule reached: they were not put to the test."""
        return tuple(turn for turn in Reached if not self.reached[turn])

    @property
    def person_needed(self) -> int:
        """Schedules in which a person had to decide."""
        return self.reached[Reached.RELEASED] + self.reached[Reached.SETTLED_BY_PERSON]

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """The verdict on each schedule that broke the promise."""
        return ((violation.rules, violation.is_unresolved) for violation in self.violations)
