"""What every part of the proof has to say, in one form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.faults.report.table import Table


class Result(Protocol):
    """What a part of the proof returns."""

    @property
    def lost(self) -> int:
        """How often a message was lost."""

    @property
    def doubled(self) -> int:
        """How often a message was sent twice."""

    @property
    def wrong(self) -> int:
        """How often a record was wrong, or a worker did what it must not."""

    @property
    def unresolved(self) -> int:
        """How often an end was open, with nobody called."""

    @property
    def violations(self) -> Sequence[object]:
        """Everything that must not be."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A part of the proof, done.

    Attributes:
        part: What was run.
        size: How much of it.
        result: What it found.
        people: How often a person had to decide; None where that is not counted.
        seconds: How long it took.
        table: What else is worth telling.
    """

    part: str
    size: str
    result: Result
    seconds: float
    people: int | None = None
    table: Table | None = None

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Lost, doubled, wrong and unresolved."""
        result = self.result
        return result.lost, result.doubled, result.wrong, result.unresolved

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that must not be."""
        return not any(self.counts) and not self.result.violations
