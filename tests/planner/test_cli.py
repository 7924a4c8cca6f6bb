"""The planner's commands and the tables that they write."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from planner.cli import app
from planner.document import CAPACITY, COST, with_table, with_tables
from planner.prices import PRICES, UNDATED, Price
from planner.usage import CALLS
from tests.faults.mutants.catalogue import MUTANTS

PLAN = ("plan", "--messages-per-day", "1e6")


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; return exit status and output without line breaks and frames."""
    result = CliRunner(env={"COLUMNS": "120", "TERM": "dumb"}).invoke(app, arguments)
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def test_sufficient_plan_is_shown() -> None:
    """A plan shows concurrency, limits with their sources, and cost."""
    status, output = run(*PLAN, "--messages-per-second", "80")

    assert 0 == status
    for part in ("maximum_concurrency", "messages of a sender", "80.0", "docs.aws.amazon", "total"):
        assert part in output


def test_insufficient_plan_names_lowest_limit() -> None:
    """A load above a vendor's limit exits with status 1 and names the limit."""
    status, output = run("plan", "--messages-per-day", "5e6", "--messages-per-second", "80")

    assert 1 == status
    assert "messages of a sender (80.0 per second)" in output


def test_given_concurrency_is_used() -> None:
    """A given batch size and concurrency are not replaced by chosen ones."""
    status, output = run(*PLAN, "--batch-size", "3", "--maximum-concurrency", "7")

    assert 1 == status
    assert "batch_size 3 maximum_concurrency 7" in " ".join(output.replace("┃", " ").split())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--batch-size", "3"], "go together"),
        (["--openai-tokens-per-minute", "9"], "needs --tokens-per-message"),
        (["--peak-hour-share", "1.5"], "Invalid value for '--peak-hour-share'"),
        (["--architecture", "mips"], "'mips' is not one of"),
    ],
)
def test_invalid_arguments_are_named(arguments: list[str], error: str) -> None:
    """An invalid option, or half of a pair of options, is named in the error."""
    status, output = run(*PLAN, *arguments)

    assert 2 == status
    assert error in output


@pytest.mark.parametrize("document", [CAPACITY, COST], ids=lambda path: path.name)
def test_documents_are_current(document: Path) -> None:
    """The documents contain the current tables; `python -m planner check --write` updates them."""
    text = document.read_text("utf-8")
    assert text == with_tables(text)


def test_missing_table_marks_are_an_error() -> None:
    """A document without a table's marks is an error that names the table."""
    with pytest.raises(ValueError, match="no marks for the table 'calls'"):
        with_table("no marks", "calls", "| a |")


def test_broken_variants_exist() -> None:
    """Each broken variant that the table of calls names is one of the fault proof's."""
    named = {name for call in CALLS for name in call.shown_by.split(", ") if name}
    assert named <= set(MUTANTS)


@pytest.mark.parametrize("price", PRICES.values(), ids=lambda price: price.unit)
def test_prices_have_sources(price: Price) -> None:
    """A price names the vendor's page, the page that was read, and its date unless undated."""
    source = price.source
    assert source.page.startswith("https://")
    assert source.read_at.startswith("https://")
    assert source.as_of == UNDATED or date.fromisoformat(source.as_of.removeprefix("after "))
