"""The proof's tables as rows of text, for whoever draws them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.faults.grid.faults import Fault
from tests.faults.grid.results import GridResult
from tests.faults.report.findings import Finding
from tests.faults.report.matrix import LEGEND, matrix


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


def summary(findings: Iterable[Finding]) -> Table:
    """One row for each part of the proof."""
    columns = ("part", "size", "lost", "doubled", "wrong", "unresolved", "person needed", "minutes")
    return Table("What was found", columns, tuple(_summed_up(finding) for finding in findings))


def _summed_up(finding: Finding) -> tuple[str, ...]:
    counts = (str(count) for count in finding.counts)
    people = "" if finding.people is None else str(finding.people)
    return finding.part, finding.size, *counts, people, f"{finding.seconds / 60:.1f}"


def details(finding: Finding) -> Table:
    """What else a part has to tell."""
    return Table(finding.part, ("what", "how often"), finding.details)


def boundaries(title: str, result: GridResult) -> Table:
    """Boundary by fault."""
    rows = tuple((row.boundary, *row.outcomes) for row in matrix(result))
    return Table(title, ("boundary", *Fault), rows, LEGEND)


def variants(caught: Mapping[str, tuple[str, str]]) -> Table:
    """Which part of the proof caught each broken variant, and by which rules."""
    rows = tuple((name, by, rules) for name, (by, rules) in caught.items())
    return Table("Broken on purpose", ("variant", "caught by", "rules broken"), rows)
