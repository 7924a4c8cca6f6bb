"""The benchmarks' command line."""

import platform
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import cloud
from benchmarks.run import run
from benchmarks.table import table
from local.paths import ROOT
from tests.faults.report import document
from tests.faults.report.terminal import progress, show

DOCUMENT = ROOT / "docs" / "performance.md"

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="turns of each contestant")] = 5,
    messages: Annotated[int, typer.Option(min=100, help="messages of the long runs")] = 1_000,
    write: Annotated[bool, typer.Option(help="put the table into docs/performance.md")] = True,
) -> None:
    """Measure our runtime beside two others and the limit; exit with 1 where a goal is missed."""
    console = Console()
    figures = list(run(console, rounds, messages))
    with progress(console, "local cloud") as tell:
        tables = [table(figures), cloud.measure(messages, tell)]
    for measured in tables:
        show(console, measured)
    if write:
        document.write(tables, _said(rounds, messages), DOCUMENT)
    is_met = all(figure.is_met(goal) for figure in figures for goal in figure.goals)
    raise typer.Exit(0 if is_met else 1)


def _said(rounds: int, messages: int) -> str:
    return (
        f"Run on {datetime.now(UTC).date()} ({platform.machine()}, Linux), medians of {rounds}"
        f" rounds: `make bench ROUNDS={rounds} MESSAGES={messages}`."
    )
