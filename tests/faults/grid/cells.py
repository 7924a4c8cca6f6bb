"""The cells of the grid: one fault at one boundary, in one company; plain data with a name."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tests.faults.grid.calls import CallName
from tests.faults.grid.faults import FREEZES, VENDORS, Company, Fault, can_befall
from tests.faults.grid.scenarios import SCENARIOS, Scenario

SEPARATOR = " / "
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Boundary:
    """One outside call of the delivery that a scenario examines.

    Attributes:
        scenario: The scenario's name.
        call: The call.
        change: What it does to the record when nothing goes wrong; empty for nothing.
    """

    scenario: str
    call: CallName
    change: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault at a boundary, in a company."""

    scenario: str
    call: CallName
    fault: Fault
    company: Company

    def __str__(self) -> str:
        return SEPARATOR.join((self.scenario, str(self.call), self.fault, self.company))

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """The cell of that name.

        Raises:
            ValueError: A part of it is unknown; names the part.
        """
        parts = name.split(SEPARATOR)
        if len(parts) != _PARTS:
            raise ValueError(f"cell: expected {_PARTS} parts, found {len(parts)}")
        scenario, call, fault, company = parts
        if scenario not in SCENARIOS:
            raise ValueError(f"scenario: expected one of {', '.join(SCENARIOS)}")
        return cls(scenario, CallName.parse(call), Fault(fault), Company(company))

    @property
    def story(self) -> Scenario:
        """The scenario itself."""
        return SCENARIOS[self.scenario]

    @property
    def passed(self) -> tuple["Cell", ...]:
        """The cells that a play of this one goes through, this one last.

        A message is first alone, then delivered again, and a duplicate comes late. Only while a
        worker is frozen nobody else must be there, for it to be alone.
        """
        if self.company is Company.CONCURRENT:
            return (self,)
        stages = _STAGES[: _STAGES.index(self.company) + 1]
        if self.fault in FREEZES and self.company is not Company.ALONE:
            stages = stages[1:]
        return tuple(replace(self, company=stage) for stage in stages)

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_vendors = self.call.service in VENDORS and not self.call.is_read
        return self.story.is_refused or (self.fault is Fault.REFUSED and is_vendors)


_STAGES = (Company.ALONE, Company.REDELIVERED, Company.LATE)


def least_plays(cells: Iterable[Cell]) -> Mapping[Cell, frozenset[Cell]]:
    """The fewest cells to play, so that all of these are told of; each with those that it tells."""
    left = dict.fromkeys(cells)
    plays: dict[Cell, frozenset[Cell]] = {}
    for cell in sorted(left, key=lambda cell: len(cell.passed), reverse=True):
        if cell in left:
            plays[cell] = frozenset(left.keys() & set(cell.passed))
            left = {other: None for other in left if other not in plays[cell]}
    return plays


def cells_of(
    boundaries: Iterable[Boundary], companies: Iterable[Company] = tuple(Company)
) -> Iterator[Cell]:
    """Every fault that can befall each boundary, in every company."""
    companies = tuple(companies)
    for boundary in boundaries:
        for fault in Fault:
            if can_befall(fault, boundary.call):
                for company in companies:
                    yield Cell(boundary.scenario, boundary.call, fault, company)
