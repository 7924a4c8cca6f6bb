"""The figures as one table."""

from collections.abc import Iterable

from benchmarks.figures import Figure, Goal
from tests.faults.report.table import Table

CONTESTANTS = ("ours", "straightforward", "powertools", "limit")
COLUMNS = ("what", *CONTESTANTS, "ours against", "goal", "met")


def table(figures: Iterable[Figure]) -> Table:
    """Lay figures out, one row for each goal."""
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
