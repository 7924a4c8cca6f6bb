"""The cells: one fault at one outside call, with one kind of redelivery; and their results."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.faults.process_faults.calls import (
    FREEZES,
    VENDORS,
    CallName,
    Fault,
    Redelivery,
    is_applicable,
)
from tests.faults.process_faults.scenarios import SCENARIOS, Scenario
from tests.faults.rules import Evidence, Result, Rule, Violation

SEPARATOR = " / "
STAGES = (Redelivery.ALONE, Redelivery.REDELIVERED, Redelivery.LATE)


@dataclass(frozen=True, slots=True)
class Boundary:
    """One outside call of the delivery that a scenario examines."""

    scenario: str
    call: CallName


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault at a boundary, with a kind of redelivery; its text names it."""

    scenario: str
    call: CallName
    fault: Fault
    redelivery: Redelivery

    def __str__(self) -> str:
        return SEPARATOR.join((self.scenario, str(self.call), self.fault, self.redelivery))

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """Return the cell of that name.

        Raises:
            ValueError: A part of the name is unknown.
        """
        parts = name.split(SEPARATOR)
        if len(parts) != 4:
            raise ValueError(f"cell: expected 4 parts, found {len(parts)}")
        scenario, call, fault, redelivery = parts
        if scenario not in SCENARIOS:
            raise ValueError(f"scenario: expected one of {', '.join(SCENARIOS)}")
        return cls(scenario, CallName.parse(call), Fault(fault), Redelivery(redelivery))

    @property
    def setup(self) -> Scenario:
        """The scenario itself."""
        return SCENARIOS[self.scenario]

    @property
    def covered(self) -> tuple["Cell", ...]:
        """The cells that one run of this one tests, itself last.

        A message is first alone, then redelivered, and a duplicate comes late. A frozen worker is
        alone only if no other worker gets the message meanwhile.
        """
        if self.redelivery is Redelivery.CONCURRENT:
            return (self,)
        stages = STAGES[: STAGES.index(self.redelivery) + 1]
        if self.fault in FREEZES and self.redelivery is not Redelivery.ALONE:
            stages = stages[1:]
        return tuple(replace(self, redelivery=stage) for stage in stages)

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_vendors = self.call.service in VENDORS and not self.call.is_read
        return self.setup.is_refused or (self.fault is Fault.REFUSED and is_vendors)


def cells_of(boundaries: Iterable[Boundary]) -> Iterator[Cell]:
    """Yield every fault that can happen at each boundary, with every kind of redelivery."""
    for boundary in boundaries:
        for fault in Fault:
            if is_applicable(fault, boundary.call):
                for redelivery in Redelivery:
                    yield Cell(boundary.scenario, boundary.call, fault, redelivery)


def fewest_runs(cells: Iterable[Cell]) -> Mapping[Cell, frozenset[Cell]]:
    """Return the fewest cells to run so that all of these are tested; each with those it tests."""
    left = dict.fromkeys(cells)
    runs: dict[Cell, frozenset[Cell]] = {}
    for cell in sorted(left, key=lambda cell: len(cell.covered), reverse=True):
        if cell in left:
            runs[cell] = frozenset(left.keys() & set(cell.covered))
            left = {other: None for other in left if other not in runs[cell]}
    return runs


@dataclass(frozen=True, slots=True)
class CellResult:
    """What happened in a cell.

    Attributes:
        cell: The cell.
        broken: The rules that were broken at any moment, in their order.
        is_unresolved: Whether it ended unresolved before the operator acted.
        operator_actions: How often the operator had to act.
        evidence: The last evidence.
        is_reached: Whether the fault happened: the handler made that call.
        error: What prevented the run, if anything did: a defect of this driver.
        trace: Every call, line by line.
        log: What the workers logged: worker, level, event and code of each line.
    """

    cell: Cell
    broken: tuple[Rule, ...] = ()
    is_unresolved: bool = False
    operator_actions: int = 0
    evidence: Evidence | None = None
    is_reached: bool = False
    error: str = ""
    trace: tuple[str, ...] = field(default=(), repr=False)
    log: tuple[str, ...] = field(default=(), repr=False)

    @property
    def outcome(self) -> str:
        """A few words: `sent`, `sent after an operator`, `refused`, the rules broken, ….

        Alone, a cell ends before redelivery: then it is the record's status.
        """
        if self.error or self.evidence is None:
            return f"not run {self.error}".strip()
        if not self.is_reached:
            return "not reached"
        if self.broken:
            return "breaks " + ", ".join(rule.split(".")[0] for rule in self.broken)
        return "unresolved" if self.is_unresolved else self._kept_outcome(self.evidence)

    def _kept_outcome(self, evidence: Evidence) -> str:
        if not evidence.is_final:
            return evidence.status or "no record"
        if not evidence.sids:
            return "refused"
        return "sent after an operator" if self.operator_actions else "sent"

    @property
    def is_kept(self) -> bool:
        """Whether it was run, and broke nothing."""
        return self.is_reached and not (self.error or self.broken or self.is_unresolved)

    @property
    def violation(self) -> Violation:
        """The result as a violation."""
        return Violation(
            subject=str(self.cell),
            rules=self.broken,
            what=self.outcome,
            is_unresolved=self.is_unresolved,
            replay=f'python -m tests.faults cell "{self.cell}"',
        )


@dataclass(frozen=True, kw_only=True)
class CellsResult(Result):
    """What happened in all cells of one handler, in their order."""

    handler: str
    cells: tuple[CellResult, ...]

    @classmethod
    def of(cls, handler: str, cells: Iterable[CellResult]) -> "CellsResult":
        """Sum cells up."""
        results = tuple(cells)
        violations = tuple(result.violation for result in results if not result.is_kept)
        return cls(handler=handler, cells=results, violations=violations)

    @property
    def operator_needed(self) -> int:
        """Cells in which the operator had to act."""
        return sum(result.operator_actions > 0 for result in self.cells)
