"""A schedule as text: steps that anybody can read, keep and replay."""

from collections.abc import Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """One decision: an action of the universe and its numbers."""

    action: str
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.action, *map(str, self.numbers)))


def written(steps: Iterable[Step]) -> str:
    """A schedule on one line."""
    return "; ".join(map(str, steps))


def read(text: str) -> tuple[Step, ...]:
    """The steps of a schedule on one line.

    Raises:
        ValueError: A step's numbers are no numbers.
    """
    parts = [step.split() for step in text.split(";") if step.strip()]
    return tuple(Step(action, tuple(map(int, numbers))) for action, *numbers in parts)
