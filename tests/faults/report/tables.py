"""The proof's tables, made of what its parts found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from tests.faults.grid.faults import Fault
from tests.faults.grid.results import GridResult
from tests.faults.report.findings import Finding
from tests.faults.report.matrix import LEGEND, matrix
from tests.faults.report.table import Table
from tests.faults.rules import Rule
from tests.faults.soak.result import SoakResult
from tests.faults.variants.cells import BEYOND
from tests.faults.variants.run import VariantsResult


def summary(title: str, findings: Iterable[Finding]) -> Table:
    """One row for each part of the proof."""
    columns = ("part", "size", "lost", "doubled", "wrong", "unresolved", "person needed", "minutes")
    return Table(title, columns, tuple(_summed_up(finding) for finding in findings))


def boundaries(title: str, result: GridResult) -> Table:
    """Boundary by fault."""
    rows = tuple((row.boundary, *row.outcomes) for row in matrix(result))
    return Table(title, ("boundary", *Fault), rows, LEGEND)


def counts(title: str, counted: Iterable[tuple[str, int]]) -> Table:
    """How often something happened, the most frequent first."""
    ordered = sorted(counted, key=lambda item: (-item[1], item[0]))
    return Table(title, ("what", "how often"), tuple((str(w), f"{n:,}") for w, n in ordered))


def soaked(result: SoakResult) -> Table:
    """What a soak went through."""
    told = asdict(replace(result, violations=()))
    rows = tuple((what, f"{count:,}") for what, count in _flat(told) if what != "seed")
    return Table("What the soak went through", ("what", "how often"), rows)


def broken_on_purpose(result: VariantsResult) -> Table:
    """What every variant does wrong, and which rules it was seen to break where."""
    rows = tuple(
        (
            shown.variant.what,
            _numbers(shown.by_schedule),
            _numbers(shown.by_cell) or f"none: {BEYOND.get(shown.variant.name, 'not caught')}",
        )
        for shown in result.variants
    )
    columns = ("mistake", "rules broken in a schedule", "… and by real processes")
    return Table("Broken on purpose, and caught", columns, rows)


def _numbers(rules: Iterable[Rule]) -> str:
    return ", ".join(rule.split(".")[0] for rule in rules)


def _flat(told: Mapping[str, object], within: str = "") -> Iterator[tuple[str, int]]:
    for name, value in told.items():
        words = f"{within}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, "" if name in {"storm", "recovery"} else f"{words}: ")
        elif isinstance(value, int):
            yield words, value


def _summed_up(finding: Finding) -> tuple[str, ...]:
    counted = (str(count) for count in finding.counts)
    people = "" if finding.people is None else str(finding.people)
    return finding.part, finding.size, *counted, people, f"{finding.seconds / 60:.1f}"
