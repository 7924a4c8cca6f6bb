"""Measured values, their goals, and the table of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.faults.report import Table

CONTESTANTS = ("ours", "straightforward", "powertools", "limit")


@dataclass(frozen=True)
class Goal:
    """The largest, or smallest, acceptable ratio of our value to another contestant's."""

    ratio: float
    of: str
    is_minimum: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.is_minimum else '≤'} {self.ratio:g} ×"


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
        ratio = self.ratio(goal)
        return ratio >= goal.ratio if goal.is_minimum else ratio <= goal.ratio


def figure_table(
    figures: Iterable[Figure],
    title: str = "Measured in one run",
    contestants: Sequence[str] = CONTESTANTS,
) -> Table:
    """Return a table with one row per goal."""
    rows = (_row(figure, goal, contestants) for figure in figures for goal in figure.goals)
    columns = ("what", *contestants, "ours relative to", "goal", "met")
    return Table(title, columns, tuple(rows))


def _row(figure: Figure, goal: Goal, contestants: Sequence[str]) -> tuple[str, ...]:
    values = (figure.value(contestant) for contestant in contestants)
    return (
        f"{figure.what}, {figure.unit}",
        *("" if value is None else f"{value:.3g}" for value in values),
        f"{figure.ratio(goal):.2f} × {goal.of}",
        str(goal),
        "yes" if figure.is_met(goal) else "no",
    )
