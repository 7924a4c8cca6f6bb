"""The rates of the check of facts, and its generated files: `python -m tests.facts --help`."""

from typing import Annotated

import typer
from rich.console import Console

from local.paths import ROOT
from ops.console import print_in_any_encoding
from tests.facts.cases import SEED, VARIANTS, generate
from tests.facts.rates import measure, write_sample
from tests.facts.tables import LOCALES, write_tables
from tests.faults import report

DOCUMENT = ROOT / "docs" / "draft-checks-results.md"
SAMPLE_SIZE = 10
"""Stored cases of each kind and language."""

app = typer.Typer(add_completion=False)


@app.command()
def rates(
    *,
    count: Annotated[int, typer.Option(min=1, help="Cases of each kind and language.")] = 100,
    show: Annotated[bool, typer.Option(help="Print the cases with a wrong result.")] = False,
    write: Annotated[bool, typer.Option(help="Write docs/draft-checks-results.md.")] = True,
) -> None:
    """Measure the rates of wrong results; exit with 1 if a goal is missed."""
    console = Console()
    shown: list[report.Table] = []
    is_met = True
    for title, locales in (("Ten languages", LOCALES), ("Other countries", VARIANTS.split())):
        measured = measure(generate(count, locales))
        is_met = is_met and measured.is_met()
        shown += measured.tables(title)
        for case in measured.wrong if show else ():
            console.print(str(case), markup=False, highlight=False)
    for table in shown:
        report.show(console, table)
    if write:
        run = f"Seed {SEED}: `python -m tests.facts rates --count {count}`."
        report.write(shown, run, DOCUMENT)
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
