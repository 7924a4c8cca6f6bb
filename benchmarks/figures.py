"""Measured values, their goals, and the table of both."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from tests.faults.report import Table

CONTESTANTS = ("ours", "straightforward", "powertools", "limit")
COLUMNS = ("what", *CONTESTANTS, "ours relative to", "goal", "met")


@dataclass(frozen=True)
class Goal:
    """The largest acceptable ratio of our value to another contestant's."""

    at_most: float
    of: str


@dataclass(frozen=True)
class Figure:
    """A measured quantity.

    Attributes:
        what: Its name.
        unit: Unit of its values.
        values: Values by contestant, one per round.
        goals: Goals for our value.
    """

    what: str
    unit: str
    values: dict[str, list[float]]
    goals: tuple[Goal, ...]

    def value(self, contestant: str) -> float | None:
        """Return the median of a contestant's values; None if it was not measured."""
        values = self.values.get(contestant)
        return median(values) if values else None

    def ratio(self, goal: Goal) -> float:
        """Return the median of the ratios of each round, or the ratio of medians.

        The contestants of a round run directly after each other, so that varying speed of the
        machine affects all of them. Series of different length are compared by their medians.
        """
        ours, others = self.values["ours"], self.values[goal.of]
        if len(ours) != len(others):
            return median(ours) / median(others)
        return median(our / other for our, other in zip(ours, others, strict=True))

    def is_met(self, goal: Goal) -> bool:
        """Whether our value meets a goal."""
        return self.ratio(goal) <= goal.at_most


def figure_table(figures: Iterable[Figure]) -> Table:
    """Return a table with one row per goal."""
    rows = (_row(figure, goal) for figure in figures for goal in figure.goals)
    return Table("Measured in one run", COLUMNS, tuple(rows))


def _row(figure: Figure, goal: Goal) -> tuple[str, ...]:
    values = (figure.value(contestant) for contestant in CONTESTANTS)
    return (
        f"{figure.what}, {figure.unit}",
        *("" if value is None else f"{value:.3g}" for value in values),
        f"{figure.ratio(goal):.2f} × {goal.of}",
        f"≤ {goal.at_most:g} ×",
        "yes" if figure.is_met(goal) else "no",
    )
