"""The cells of the grid: one fault at one boundary, in one company; plain data with a name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.faults.grid.calls import CallName
from tests.faults.grid.faults import VENDORS, Company, Fault, can_befall
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
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_vendors = self.call.service in VENDORS and not self.call.is_read
        return self.story.is_refused or (self.fault is Fault.REFUSED and is_vendors)


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
