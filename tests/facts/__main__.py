"""The rates of the check of facts, and its generated files: `python -m tests.facts --help`."""

import typer
from rich.console import Console

from local.paths import ROOT
from ops.console import print_in_any_encoding
from tests.facts.cases import SEED, VARIANTS, generate
from tests.facts.rates import measure, write_sample
from tests.facts.tables import LOCALES, write_tables
from tests.faults import report

DOCUMENT = ROOT / "docs" / "draft-checks-results.md"
CASES, SAMPLE_SIZE = 100, 10
"""Measured and stored cases of each kind and language."""

app = typer.Typer(add_completion=False)


@app.command()
def rates() -> None:
    """Measure the rates of wrong results, and write them; exit with 1 if a goal is missed."""
    console = Console()
    shown: list[report.Table] = []
    is_met = True
    for title, locales in (("Ten languages", LOCALES), ("Other countries", VARIANTS.split())):
        measured = measure(generate(CASES, locales))
        is_met = is_met and measured.is_met()
        shown += measured.tables(title)
    for table in shown:
        report.show(console, table)
    report.write(shown, f"Seed {SEED}: `python -m tests.facts rates`.", DOCUMENT)
    raise typer.Exit(0 if is_met else 1)


@app.command()
def tables() -> None:
    """Write the word table of the runtime, after an update of the locale data."""
    write_tables()


@app.command()
def sample() -> None:
    """Store the cases that the unit tests check."""
    write_sample(generate(SAMPLE_SIZE))


if __name__ == "__main__":
    print_in_any_encoding()
    app()
