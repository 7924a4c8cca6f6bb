"""The proof's commands: run all of it, or repeat one case."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from tests.faults import report, tables
from tests.faults.inputs.run import run as deliver_bodies
from tests.faults.model.model import Played
from tests.faults.model.run import run as run_schedules
from tests.faults.model.schedules import read
from tests.faults.mutant_runs import MutantsResult
from tests.faults.mutant_runs import run as run_mutants
from tests.faults.process_faults.cells import Cell
from tests.faults.process_faults.run import all_cells, driver, run_cells
from tests.faults.process_faults.worker import COMPETITORS, OURS
from tests.faults.report import OnProgress, Table, progress, show
from tests.faults.soak.run import run as run_soak
from tests.faults.tables import Finding

MAX_SHOWN = 20
"""Violations of a part that are printed."""
COVERING_SCHEDULES = 1_000
"""So many random schedules must reach every situation."""
FILE_WIDTH = 110
"""Columns where the output is no terminal."""

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of each part is run, and the seed of what is random; every `cells_step`-th cell."""

    schedules: int
    messages: int
    bodies: int
    seed: int
    cells_step: int = 1


@dataclass
class Proof:
    """The parts that were run.

    Attributes:
        console: Shows the progress.
        extent: How much of each is run.
        ours: What was found of our runtime.
        competitors: What was found of other designs, by the same cells.
        mutants: What was found of our runtime with one mistake each.
        unproven: What the run does not prove, although our runtime broke no rule, in sentences.
    """

    console: Console
    extent: Extent
    ours: list[Finding] = field(default_factory=list)
    competitors: list[Finding] = field(default_factory=list)
    mutants: MutantsResult = field(default_factory=MutantsResult)
    unproven: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether our runtime broke no rule, and the proof was able to find broken rules."""
        return all(finding.is_clean for finding in self.ours) and not self.unproven

    def run(self) -> None:
        """Run everything."""
        self.ours.append(self._process_faults(OURS, "process faults"))
        self.ours.append(self._model())
        self.ours.append(self._inputs())
        self.ours.append(self._soak())
        for handler, name in COMPETITORS.items():
            self.competitors.append(self._process_faults(handler, name))
        self.mutants, _ = self._timed("mutants", run_mutants)
        missed = [finding.part for finding in self.competitors if finding.is_clean]
        self.unproven += [f"{name}: not caught" for name in (*missed, *self.mutants.missed)]

    def _process_faults(self, handler: str, name: str) -> Finding:
        cells = all_cells(handler)[:: self.extent.cells_step]
        result, seconds = self._timed(name, lambda tell: run_cells(cells, handler, tell))
        return Finding(
            part=name,
            size=f"{len(cells):,} cells",
            result=result,
            operator_needed=result.operator_needed,
            seconds=seconds,
            table=tables.boundaries(f"Boundary by fault: {name}", result),
        )

    def _model(self) -> Finding:
        count, seed = self.extent.schedules, self.extent.seed
        result, seconds = self._timed("model", lambda tell: run_schedules(count, seed, tell))
        if result.schedules >= COVERING_SCHEDULES:
            self.unproven += [f"no schedule reached: {missed}" for missed in result.unreached]
        return Finding(
            part="model",
            size=f"{result.schedules:,} schedules, {result.steps:,} steps",
            result=result,
            operator_needed=result.operator_needed,
            seconds=seconds,
            table=tables.counts("What the schedules reached", result.reached.items()),
        )

    def _inputs(self) -> Finding:
        count = self.extent.bodies
        result, seconds = self._timed("extreme bodies", lambda tell: deliver_bodies(count, tell))
        size = f"{result.bodies:,} bodies, {result.sent:,} of them sent"
        return Finding(part="extreme bodies", size=size, result=result, seconds=seconds)

    def _soak(self) -> Finding:
        count, seed = self.extent.messages, self.extent.seed
        result, seconds = self._timed("soak", lambda tell: run_soak(count, seed, tell))
        return Finding(
            part="soak",
            size=f"{result.messages:,} messages, {result.kills:,} kills",
            result=result,
            operator_needed=result.recorded_by_operator + result.released_by_operator,
            seconds=seconds,
            table=tables.soak(result),
        )

    def _timed(self, name: str, run: Callable[[OnProgress], R]) -> tuple[R, float]:
        begun = time.monotonic()
        with progress(self.console, name) as on_progress:
            result = run(on_progress)
        return result, time.monotonic() - begun

    def tables(self) -> Iterator[Table]:
        """Yield the tables, the most important first."""
        yield tables.summary("What was found", self.ours)
        yield tables.summary("The same faults, other designs", self.competitors)
        yield tables.mutants(self.mutants)
        for finding in (*self.ours, *self.competitors):
            if finding.table:
                yield finding.table

    def print(self) -> None:
        """Print the tables, and everything that was found."""
        for table in self.tables():
            show(self.console, table)
        for finding in self.ours:
            for violation in finding.result.violations[:MAX_SHOWN]:
                self.console.print(f"{finding.part}: {violation}", markup=False, style="red")
        for sentence in self.unproven:
            self.console.print(sentence, markup=False, style="red")


app = typer.Typer(add_completion=False, help=__doc__)


@app.callback(invoke_without_command=True)
def prove(  # noqa: PLR0917 - typer's parameters are options
    context: typer.Context,
    schedules: Annotated[int, typer.Option(help="random schedules of the model")] = 10_000,
    messages: Annotated[int, typer.Option(help="messages of the soak")] = 600,
    bodies: Annotated[int, typer.Option(help="extreme bodies to deliver")] = 2_000,
    cells_step: Annotated[int, typer.Option(help="run only every n-th cell")] = 1,
    seed: Annotated[int | None, typer.Option(help="repeats a run's schedules and soak")] = None,
    write: Annotated[bool, typer.Option(help="write docs/reliability-results.md")] = True,
) -> None:
    """Show that no message is lost and none is sent twice, whatever fails."""
    if context.invoked_subcommand:
        return
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    # Bound to the terminal: parts of the proof capture what the runtime writes to standard output.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(f"seed {chosen}: `python -m tests.faults --seed {chosen}` repeats this run")
    extent = Extent(
        schedules=schedules, messages=messages, bodies=bodies, seed=chosen, cells_step=cells_step
    )
    proof = Proof(console, extent)
    proof.run()
    proof.print()
    if write:
        report.write(proof.tables(), f"Run on {datetime.now(UTC).date()} with seed {chosen}.")
    raise typer.Exit(0 if proof.is_clean else 1)


@app.command("schedules")
def run_schedule(
    replay: Annotated[str, typer.Option(help="a schedule, as a violation's command has it")],
) -> None:
    """Run one schedule of the model again, and print every step."""
    played = Played(read(replay))
    for line in played.trace:
        typer.echo(line)
    typer.echo(f"{type(played.problem).__name__}: {played.problem}" if played.problem else "kept")
    raise typer.Exit(1 if played.problem else 0)


@app.command("cell")
def run_cell(
    name: Annotated[str, typer.Argument(help="scenario / call / fault / redelivery")],
    handler: Annotated[str, typer.Option(help="a mutant's or a competitor's name")] = OURS,
) -> None:
    """Run one cell of the process faults again, and print every call."""
    try:
        cell = Cell.parse(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with driver() as one:
        result = one.run(cell, handler)
    for line in (*result.trace, "", *result.log, "", f"{cell}: {result.outcome}", *result.broken):
        typer.echo(line)
    raise typer.Exit(0 if result.is_kept else 1)
