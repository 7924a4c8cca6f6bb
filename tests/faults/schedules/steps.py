"""A schedule as text: steps that anybody can read, keep and replay."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_NUMBER = re.compile(r"-?\d+")


class Step(NamedTuple):
    """One decision: an action of the universe and what it is about."""

    action: str
    about: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.action, *map(str, self.about)))


def written(steps: Iterable[Step]) -> str:
    """A schedule on one line."""
    return "; ".join(map(str, steps))


def read(text: str) -> tuple[Step, ...]:
    """The steps of a schedule on one line; line breaks count as blanks."""
    parts = [step.split() for step in text.split(";") if step.strip()]
    return tuple(Step(action, tuple(map(_word, about))) for action, *about in parts)


def _word(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text
