"""The proof's findings: tables, documentation, progress, and whether the proof is clean."""

from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lambda_src.core.contract import Status
from tests.faults import report
from tests.faults.command import (
    Finding,
    Proof,
    boundaries_table,
    decisions_table,
    summary_table,
)
from tests.faults.model.run import OPERATOR, SchedulesResult
from tests.faults.model.schedules import Situation
from tests.faults.process_faults.calls import Fault
from tests.faults.process_faults.cells import Cell, CellResult, CellsResult
from tests.faults.process_faults.worker import OURS
from tests.faults.report import Table, progress, show
from tests.faults.rules import Evidence, Location, Rule

SENT = Evidence(sids=("SM1",), locations=(Location.DELETED,), status=Status.SENT, is_final=True)
UNSENT = Evidence(sids=(), locations=(Location.DEAD,), status=Status.FAILED, is_final=True)
TABLE = Table("Found", ("part", "lost"), (("cells", "0"),), "A caption.")


def cell(rest: str, evidence: Evidence = SENT, **values: object) -> CellResult:
    """Return the result of a cell at the send."""
    name = f"first contact / twilio.POST Messages#1 / {rest}"
    given = {"is_reached": True, **values}
    return CellResult(Cell.parse(name), evidence=evidence, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "results"),
    [
        ("sent", [cell("timeout / redelivered"), cell("timeout / late duplicate")]),
        (
            "operator",
            [cell("timeout / redelivered"), cell("timeout / late duplicate", operator_actions=1)],
        ),
        ("refused", [cell("refused / redelivered", UNSENT)]),
        ("✗ 1 3", [cell("timeout / alone", broken=(Rule.RECORD_IS_TRUE, Rule.AT_MOST_ONCE))]),
        ("open", [cell("timeout / redelivered", is_unresolved=True)]),
        ("not reached", [cell("timeout / redelivered"), cell("timeout / alone", is_reached=False)]),
    ],
)
def test_boundary_shows_the_worst_of_its_cells(expected: str, results: list[CellResult]) -> None:
    """One bad redelivery decides a boundary's fault; faults that were not run are empty."""
    (row,) = boundaries_table("ours", CellsResult.of(OURS, results)).rows
    outcomes = dict(zip(Fault, row[1:], strict=True))
    assert expected == outcomes.pop(results[0].cell.fault)
    assert {""} == set(outcomes.values())


def finding(*results: CellResult) -> Finding:
    return Finding("cells", CellsResult.of(OURS, results), seconds=90)


def test_summary_counts_by_the_kind_of_rule() -> None:
    """Lost, duplicated, wrong and unresolved are counts of cells; one cell may be several."""
    lost = cell("timeout / redelivered", broken=(Rule.SENT_IN_THE_END,), is_unresolved=True)
    rules = (Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE)
    duplicated = cell("timeout / late duplicate", broken=rules, operator_actions=2)

    summary = summary_table("Found", [finding(lost, duplicated)])

    assert (("cells", "2 cells", "1", "1", "1", "1", "1", "1.5"),) == summary.rows


def test_operators_decisions_are_compared() -> None:
    """The same schedules, with callbacks and without."""
    decided = Counter({Situation.RELEASED: 2, OPERATOR: 2})
    without = decided + Counter({Situation.RECORDED_BY_OPERATOR: 1, OPERATOR: 1})
    result = SchedulesResult(schedules=5, reached=decided, without=without)

    table = decisions_table((result + result).decisions, 10)

    assert [("4", "6"), ("0", "2"), ("4", "4")] == [row[1:] for row in table.rows]
    assert "the same 10 schedules" in table.caption


@pytest.mark.parametrize(
    ("expected", "broken", "unproven"),
    [
        (True, (), []),
        (False, (Rule.BACK_SOON,), []),
        (False, (), ["original: not caught"]),
    ],
)
def test_proof_is_clean_only_if_it_could_have_failed(
    expected: bool, broken: tuple[Rule, ...], unproven: list[str]
) -> None:
    """A broken rule of ours is a failure, and so is a mutant or a competitor without one."""
    found = finding(cell("timeout / redelivered", broken=broken))
    proof = Proof(console=Console(file=StringIO()), schedules=1, messages=1, bodies=1, seed=1)
    assert expected is replace(proof, ours=[found], unproven=unproven).is_clean


def test_documentation_gets_the_tables_between_its_marks(tmp_path: Path) -> None:
    """Figures of the last run are replaced, and the text around them stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", "utf-8")

    report.write([TABLE], "Run with seed 1.", page)

    drawn = "### Found\n\nA caption.\n\n| part | lost |\n| --- | --- |\n| cells | 0 |"
    written = f"{report.BEGIN}\n\nRun with seed 1.\n\n{drawn}\n\n{report.END}"
    assert f"before\n{written}\nafter\n" == page.read_text("utf-8")


def test_documentation_without_marks_is_not_changed(tmp_path: Path) -> None:
    """A page that does not say where figures go is refused by its name."""
    page = tmp_path / "page.md"
    page.write_text("no marks", "utf-8")

    with pytest.raises(ValueError, match=r"page\.md: expected the marks"):
        report.write([TABLE], "Run.", page)

    assert "no marks" == page.read_text("utf-8")


def test_the_results_page_has_the_marks_and_the_argument_links_it() -> None:
    """The generated tables have a page of their own."""
    text = report.DOCUMENT.read_text("utf-8")
    assert (1, 1) == (text.count(report.BEGIN), text.count(report.END))
    argument = report.DOCUMENT.with_name("reliability.md").read_text("utf-8")
    assert f"({report.DOCUMENT.name})" in argument


def test_wide_table_is_left_to_the_documentation() -> None:
    """A table that does not fit a terminal is named there, and a narrow one is shown."""
    written = StringIO()
    console = Console(file=written, width=100)
    show(console, boundaries_table("ours", CellsResult.of(OURS, [cell("timeout / redelivered")])))
    show(console, TABLE)
    named, *shown = written.getvalue().splitlines()
    assert "Boundary by fault: ours: 1 rows in the documentation" == named
    assert "Found" == shown[0].strip()


def test_progress_is_a_line_for_each_tenth() -> None:
    """A log gets a line for each tenth that was reached, and none twice."""
    written = StringIO()

    with progress(Console(file=written), "cells") as on_progress:
        for done in range(26):
            on_progress(done, 50)

    tenths = [f"cells: {done} of 50" for done in (5, 10, 15, 20, 25)]
    assert tenths == written.getvalue().splitlines()
