"""What became of a cell, and of many."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.grid.cells import Cell
from tests.faults.judged import Judged, Verdict
from tests.faults.rules import Evidence, Rule


@dataclass(frozen=True, slots=True)
class CellResult:
    """What became of a cell.

    Attributes:
        cell: The cell.
        broken: The rules that were broken at any moment, in their order.
        is_unresolved: Left to itself, it ended neither settled, nor alarmed, nor among the dead
            letters with its reason in the record.
        people: How often a person had to do something.
        ending: The last thing that the world showed.
        is_reached: Whether the fault happened: the handler came to that boundary.
        error: What kept the cell from being played, if anything did: a mistake of the grid.
        story: Everything that happened, line by line.
        log: What the workers logged: worker, level, event and code of each line.
    """

    cell: Cell
    broken: tuple[Rule, ...] = ()
    is_unresolved: bool = False
    people: int = 0
    ending: Evidence | None = None
    is_reached: bool = False
    error: str = ""
    story: tuple[str, ...] = field(default=(), repr=False)
    log: tuple[str, ...] = field(default=(), repr=False)

    @property
    def outcome(self) -> str:
        """In a few words: `sent`, `sent after a person`, `refused`, the rules broken, ….

        Alone, a cell ends in the middle: then it is the record's state.
        """
        if self.error or self.ending is None:
            return "not played"
        if not self.is_reached:
            return "not reached"
        if self.broken:
            return "breaks " + ", ".join(rule.split(".")[0] for rule in self.broken)
        return "unresolved" if self.is_unresolved else self._good_outcome(self.ending)

    def _good_outcome(self, ending: Evidence) -> str:
        if not ending.is_over:
            return ending.status or "no record"
        if not ending.sids:
            return "refused"
        return "sent after a person" if self.people else "sent"

    @property
    def is_as_promised(self) -> bool:
        """Whether it was played, and broke nothing."""
        return self.is_reached and not (self.error or self.broken or self.is_unresolved)


@dataclass(frozen=True, slots=True)
class GridResult(Judged):
    """What became of all cells of one handler, in their order."""

    handler: str
    cells: tuple[CellResult, ...]

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """The verdict on each cell."""
        return ((result.broken, result.is_unresolved) for result in self.cells)

    @property
    def people(self) -> int:
        """Cells in which a person was needed."""
        return sum(result.people > 0 for result in self.cells)

    @property
    def longest_away(self) -> float:
        """Seconds until a killed worker's message was to be seen again, at most.

        Only where its first beat was made: before, the queue's own visibility holds.
        """
        endings = (result.ending for result in self.cells if result.ending)
        return max((ending.back_after or 0.0 for ending in endings), default=0.0)

    @property
    def violations(self) -> tuple[CellResult, ...]:
        """The cells that are not as promised; each can be replayed by its name."""
        return tuple(result for result in self.cells if not result.is_as_promised)
