"""What was measured, as a row of the table."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Goal:
    """What a figure of ours is held against.

    Attributes:
        at_most: The largest ratio that is good enough.
        of: Whose figure ours is divided by.
    """

    at_most: float
    of: str


@dataclass(frozen=True)
class Figure:
    """One thing measured, of every contestant in turn, several times.

    Attributes:
        what: What it is.
        unit: Of its values.
        values: The contestants' values, one for each round.
        goals: What ours is held against.
    """

    what: str
    unit: str
    values: dict[str, list[float]]
    goals: tuple[Goal, ...]

    def value(self, contestant: str) -> float | None:
        """The median of a contestant's values, if it was measured."""
        values = self.values.get(contestant)
        return median(values) if values else None

    def ratio(self, goal: Goal) -> float:
        """Ours divided by another's: the median of the rounds' own ratios, if they have as many.

        A round's contestants run one after the other, so that a machine that is slower for a while
        is slower for all of them.
        """
        ours, others = self.values["ours"], self.values[goal.of]
        if len(ours) != len(others):
            return median(ours) / median(others)
        return median(our / other for our, other in zip(ours, others, strict=True))

    def is_met(self, goal: Goal) -> bool:
        """Whether ours is good enough."""
        return self.ratio(goal) <= goal.at_most
