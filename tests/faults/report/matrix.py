"""The grid as a table: a row a boundary, a column a fault, the worst of the companies in each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.faults.grid.faults import Company, Fault
from tests.faults.grid.results import CellResult, GridResult

SENT, PERSON, REFUSED, EMPTY = "sent", "person", "refused", ""
LEGEND = (
    "sent: one message, by itself. person: one message, after a person decided an unknown send."
    " refused: what was asked for cannot be sent, and the record says so."
    " ✗ and numbers: the rules broken. open: neither settled nor told. empty: cannot happen there."
)


@dataclass(frozen=True, slots=True)
class Row:
    """A boundary and what became of it under each fault, in the order of `Fault`."""

    boundary: str
    outcomes: tuple[str, ...]


def matrix(result: GridResult) -> tuple[Row, ...]:
    """Lay the cells of a grid out, boundaries in the order of their calls."""
    boundaries = dict.fromkeys(_boundary(cell) for cell in result.cells)
    return tuple(Row(name, tuple(_outcomes(name, result.cells))) for name in boundaries)


def _boundary(result: CellResult) -> str:
    return f"{result.cell.scenario}: {result.cell.call}"


def _outcomes(boundary: str, results: Iterable[CellResult]) -> Iterator[str]:
    here = [result for result in results if _boundary(result) == boundary]
    for fault in Fault:
        yield _worst([result for result in here if result.cell.fault is fault])


def _worst(results: list[CellResult]) -> str:
    broken = sorted({rule.split(".")[0] for result in results for rule in result.broken})
    if broken:
        return "✗ " + " ".join(broken)
    if any(result.is_unresolved for result in results):
        return "open"
    if any(not result.is_as_promised for result in results):
        return "not reached"
    ended = [result for result in results if result.cell.company is not Company.ALONE]
    if any(result.people for result in ended):
        return PERSON
    outcomes = {result.outcome for result in ended}
    return REFUSED if outcomes == {REFUSED} else SENT if outcomes else EMPTY
