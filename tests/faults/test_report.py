"""What the proof found is told as it is: in tables, in the documentation and by its exit code."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lambda_src.core.contract import Status
from tests.faults.grid.cells import Cell
from tests.faults.grid.faults import Fault
from tests.faults.grid.handlers import OURS
from tests.faults.grid.results import CellResult, GridResult
from tests.faults.proof import Extent, Proof
from tests.faults.report import document, tables
from tests.faults.report.findings import Finding
from tests.faults.report.matrix import matrix
from tests.faults.report.table import Table
from tests.faults.report.terminal import progress, show
from tests.faults.rules import Evidence, Place, Rule

SEND = "first contact / twilio.POST Messages#1"
DELETED = (Place.DELETED,)
SENT = Evidence(sids=("SM1",), places=DELETED, status=Status.SENT, is_over=True)
UNSENT = Evidence(sids=(), places=(Place.DEAD,), status=Status.FAILED, is_over=True)
TABLE = Table("Found", ("part", "lost"), (("grid", "0"),), "A caption.")


def cell(rest: str, ending: Evidence = SENT, **told: object) -> CellResult:
    """The result of a cell at the send."""
    said = {"is_reached": True, **told}
    return CellResult(Cell.parse(f"{SEND} / {rest}"), ending=ending, **said)  # type: ignore[arg-type]


def outcome(*results: CellResult) -> str:
    """What the matrix says of the cells' fault."""
    (row,) = matrix(GridResult(OURS, results))
    return row.outcomes[list(Fault).index(results[0].cell.fault)]


@pytest.mark.parametrize(
    ("expected", "results"),
    [
        ("sent", [cell("timeout / redelivered"), cell("timeout / late duplicate")]),
        ("person", [cell("timeout / redelivered"), cell("timeout / late duplicate", people=1)]),
        ("refused", [cell("refused / redelivered", UNSENT)]),
        ("✗ 1 3", [cell("timeout / alone", broken=(Rule.RECORD_IS_TRUE, Rule.AT_MOST_ONCE))]),
        ("open", [cell("timeout / redelivered", is_unresolved=True)]),
        ("not reached", [cell("timeout / redelivered"), cell("timeout / alone", is_reached=False)]),
    ],
)
def test_boundary_shows_the_worst_of_its_companies(
    expected: str, results: list[CellResult]
) -> None:
    """One bad company among good ones decides what a boundary's fault came to."""
    assert expected == outcome(*results)


def test_faults_that_cannot_happen_are_left_empty() -> None:
    """A fault that was not played is told from one that went well."""
    (row,) = matrix(GridResult(OURS, (cell("timeout / redelivered"),)))

    assert [""] * (len(Fault) - 1) == [told for told in row.outcomes if told != "sent"]


def finding(*results: CellResult) -> Finding:
    """What a grid of these cells found."""
    result = GridResult(OURS, results)
    return Finding(part="grid", size="2 cells", result=result, seconds=90, people=result.people)


def test_summary_counts_by_the_kind_of_rule() -> None:
    """Lost, doubled, wrong, unresolved, people and minutes stand in columns of their own."""
    lost = cell("timeout / redelivered", broken=(Rule.SENT_IN_THE_END,), is_unresolved=True)
    doubled = cell("timeout / late duplicate", broken=(Rule.AT_MOST_ONCE,), people=1)

    summary = tables.summary("Found", [finding(lost, doubled)])

    assert (("grid", "2 cells", "1", "1", "0", "1", "1", "1.5"),) == summary.rows


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
    """A broken rule of ours spoils it, and so does a broken design that nothing caught."""
    found = finding(cell("timeout / redelivered", broken=broken))
    extent = Extent(schedules=1, messages=1, bodies=1, seed=1)

    proof = Proof(Console(file=StringIO()), extent, ours=[found], unproven=unproven)

    assert expected is proof.is_clean


def test_documentation_gets_the_tables_between_its_marks(tmp_path: Path) -> None:
    """Figures of the last run are replaced, and the text around them stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{document.BEGIN}\nold\n{document.END}\nafter\n", "utf-8")

    document.write([TABLE], "Run with seed 1.", page)

    drawn = "### Found\n\nA caption.\n\n| part | lost |\n| --- | --- |\n| grid | 0 |"
    written = f"{document.BEGIN}\n\nRun with seed 1.\n\n{drawn}\n\n{document.END}"
    assert f"before\n{written}\nafter\n" == page.read_text("utf-8")


def test_documentation_without_marks_is_left_alone(tmp_path: Path) -> None:
    """A page that does not say where figures go is refused by its name."""
    page = tmp_path / "page.md"
    page.write_text("no marks", "utf-8")

    with pytest.raises(ValueError, match=r"page\.md: expected the marks"):
        document.write([TABLE], "Run.", page)

    assert "no marks" == page.read_text("utf-8")


def test_wide_table_fits_a_terminal() -> None:
    """A table of many columns is told in letters and signs, with a legend."""
    written = StringIO()
    wide = tables.boundaries("Boundaries", GridResult(OURS, (cell("timeout / redelivered"),)))

    show(Console(file=written, width=100), wide)

    text = written.getvalue()
    assert "✓" in text
    assert "killed before" in text
    assert max(map(len, text.splitlines())) <= 100


def test_progress_into_a_file_is_told_by_tenths() -> None:
    """A log gets a line for each tenth that was reached, and none twice."""
    written = StringIO()

    with progress(Console(file=written), "grid") as told:
        for done in range(26):
            told(done, 50)

    tenths = [f"grid: {done} of 50" for done in (5, 10, 15, 20, 25)]
    assert tenths == written.getvalue().splitlines()
