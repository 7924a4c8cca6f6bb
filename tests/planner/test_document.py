"""docs/capacity.md and docs/cost.md say what the planner says."""

from pathlib import Path

import pytest

from planner.document import CAPACITY, COST, with_table, with_tables
from planner.usage import CALLS
from tests.faults.variants import VARIANTS


@pytest.mark.parametrize("document", [CAPACITY, COST], ids=lambda path: path.name)
def test_tables_are_those_of_the_code(document: Path) -> None:
    """Calls, prices, quotas and plans stand as they are; `python -m planner check --write`."""
    text = document.read_text("utf-8")
    assert with_tables(text) == text


def test_a_table_needs_its_place() -> None:
    """A document that lost a table's marks is an error that names the table."""
    with pytest.raises(ValueError, match="no marks for the table 'calls'"):
        with_table("no marks", "calls", "| a |")


def test_variants_that_show_a_call_exist() -> None:
    """What is said to break without a call is shown by the proof, under that name."""
    named = {name for call in CALLS for name in call.shown_by.split(", ") if name}
    assert named <= set(VARIANTS)
