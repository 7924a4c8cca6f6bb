"""The proof's commands: run it all, or play one schedule again."""

import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from tests.faults import schedules as playing
from tests.faults.proof import Extent, Proof
from tests.faults.report import document, tables
from tests.faults.report.table import Table
from tests.faults.report.terminal import show

SHOWN = 20
"""Violations that are shown of a part; its name or seed shows the rest."""

FILE_WIDTH = 110
"""Columns where the output is no terminal, which would have a width of its own."""

app = typer.Typer(add_completion=False, help=__doc__)


@app.callback(invoke_without_command=True)
def prove(  # noqa: PLR0917 - typer's parameters are options
    context: typer.Context,
    schedules: Annotated[int, typer.Option(help="random schedules to play")] = 10_000,
    messages: Annotated[int, typer.Option(help="messages of the soak")] = 600,
    bodies: Annotated[int, typer.Option(help="extreme bodies to deliver")] = 2_000,
    seed: Annotated[int | None, typer.Option(help="repeats a run's schedules and soak")] = None,
    write: Annotated[bool, typer.Option(help="put the tables into docs/reliability.md")] = True,
) -> None:
    """Show that no message is lost and none is sent twice, whatever fails."""
    if context.invoked_subcommand:
        return
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    # Bound to the terminal: parts of the proof catch what the runtime writes to standard output.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(f"seed {chosen}: `python -m tests.faults --seed {chosen}` does it again")
    extent = Extent(schedules=schedules, messages=messages, bodies=bodies, seed=chosen)
    proof = Proof(console, extent)
    proof.run()
    _tell(proof, console)
    if write:
        document.write(_tables(proof), f"Run on {datetime.now(UTC).date()} with seed {chosen}.")
    raise typer.Exit(0 if proof.is_clean else 1)


@app.command("schedules")
def play_again(
    replay: Annotated[str, typer.Option(help="a schedule, as a violation's command has it")],
) -> None:
    """Play one schedule again, and tell its story."""
    played = playing.Played(playing.read(replay))
    for line in played.story:
        typer.echo(line)
    typer.echo(f"{type(played.problem).__name__}: {played.problem}" if played.problem else "kept")
    raise typer.Exit(1 if played.problem else 0)


def _tell(proof: Proof, console: Console) -> None:
    for table in _tables(proof):
        show(console, table)
    for finding in proof.ours:
        for violation in finding.result.violations[:SHOWN]:
            console.print(f"{finding.part}: {violation}", markup=False, style="red")
    for sentence in proof.unproven:
        console.print(sentence, markup=False, style="red")


def _tables(proof: Proof) -> Iterator[Table]:
    """The tables, what matters most first."""
    yield tables.summary("What was found", proof.ours)
    yield tables.summary("The same boundaries, other designs", proof.others)
    yield tables.broken_on_purpose(proof.variants)
    for finding in (*proof.ours, *proof.others):
        if finding.table:
            yield finding.table
