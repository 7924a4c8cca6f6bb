"""Picking one of several things by a number that knows nothing of how many there are."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Absent(Exception):
    """There is nothing to pick from: the step does nothing."""


def pick(things: Sequence[T], number: int) -> T:
    """The thing of that number, counted round and round.

    Raises:
        Absent: There is none.
    """
    if not things:
        raise Absent
    return things[number % len(things)]
