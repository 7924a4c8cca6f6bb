"""The proof's tables, made of what its parts found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from tests.faults.mutant_runs import MutantsResult
from tests.faults.process_faults.calls import Fault, Redelivery
from tests.faults.process_faults.cells import CellResult, CellsResult
from tests.faults.report import Table
from tests.faults.rules import Result, Rule
from tests.faults.soak.run import SoakResult

LEGEND = (
    "sent: one message, without help. operator: one message, after an operator decided an unknown"
    " send. refused: what was asked for cannot be sent, and the record says so. ✗ and numbers: the"
    " rules broken. open: unresolved. empty: cannot happen there."
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A part of the proof, done.

    Attributes:
        part: What was run.
        size: How much of it.
        result: What it found.
        seconds: How long it took.
        operator_needed: How often an operator had to decide; None where that is not counted.
        table: A table of its own.
    """

    part: str
    size: str
    result: Result
    seconds: float
    operator_needed: int | None = None
    table: Table | None = None

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken, and everything was tested."""
        return not self.result.violations


def summary(title: str, findings: Iterable[Finding]) -> Table:
    """One row for each part of the proof."""
    counts = ("lost", "duplicated", "wrong", "unresolved")
    columns = ("part", "size", *counts, "operator needed", "minutes")
    return Table(title, columns, tuple(map(_summary_row, findings)))


def boundaries(title: str, result: CellsResult) -> Table:
    """A row per boundary in the order of the calls, a column per fault: the worst of its cells."""
    cells: dict[str, list[CellResult]] = {}
    for one in result.cells:
        cells.setdefault(f"{one.cell.scenario}: {one.cell.call}", []).append(one)
    rows = tuple(
        (name, *(_worst([one for one in here if one.cell.fault is fault]) for fault in Fault))
        for name, here in cells.items()
    )
    return Table(title, ("boundary", *Fault), rows, LEGEND)


def counts(title: str, counted: Iterable[tuple[str, int]]) -> Table:
    """How often something happened, the most frequent first."""
    ordered = sorted(counted, key=lambda item: (-item[1], item[0]))
    return Table(title, ("what", "how often"), tuple((str(w), f"{n:,}") for w, n in ordered))


def soak(result: SoakResult) -> Table:
    """What happened in a soak."""
    values = asdict(replace(result, violations=()))
    rows = tuple((what, f"{count:,}") for what, count in _flat(values) if what != "seed")
    return Table("What happened in the soak", ("what", "how often"), rows)


def mutants(result: MutantsResult) -> Table:
    """Every mutant's mistake, and which rules it was seen to break."""
    rows = tuple(
        (
            caught.mutant.what,
            _numbers(caught.in_model),
            _numbers(caught.in_cell) or f"none: {caught.mutant.no_cell or 'not caught'}",
        )
        for caught in result.mutants
    )
    columns = ("mistake", "rules broken in the model", "rules broken by real processes")
    return Table("Mutants: deliberate mistakes, each caught", columns, rows)


def _worst(results: list[CellResult]) -> str:
    if broken := sorted({rule.split(".")[0] for result in results for rule in result.broken}):
        return "✗ " + " ".join(broken)
    if any(result.is_unresolved for result in results):
        return "open"
    if any(not result.is_kept for result in results):
        return "not reached"
    ended = [result for result in results if result.cell.redelivery is not Redelivery.ALONE]
    if any(result.operator_actions for result in ended):
        return "operator"
    outcomes = {result.outcome for result in ended}
    return "refused" if outcomes == {"refused"} else "sent" if outcomes else ""


def _numbers(rules: Iterable[Rule]) -> str:
    return ", ".join(rule.split(".")[0] for rule in rules)


def _flat(values: Mapping[str, object], within: str = "") -> Iterator[tuple[str, int]]:
    for name, value in values.items():
        words = f"{within}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words}: ")
        elif isinstance(value, int):
            yield words, value


def _summary_row(finding: Finding) -> tuple[str, ...]:
    counted = (str(count) for count in finding.result.counts)
    needed = "" if finding.operator_needed is None else str(finding.operator_needed)
    return finding.part, finding.size, *counted, needed, f"{finding.seconds / 60:.1f}"
