"""The proof's commands: run all of it, or repeat one case."""

import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from tests.faults import report
from tests.faults.inputs.run import run as deliver_bodies
from tests.faults.model.model import Played, read
from tests.faults.model.run import run as run_schedules
from tests.faults.mutants.catalogue import MUTANTS, Mutant
from tests.faults.parallel import process_pool
from tests.faults.process_faults.cells import Cell
from tests.faults.process_faults.run import DRIVERS, Driver, all_cells, driver, run_cells
from tests.faults.process_faults.worker import COMPETITORS, OURS
from tests.faults.report import OnProgress, Table, progress, show
from tests.faults.rules import Result, Rule
from tests.faults.soak.run import run as run_soak

MAX_SHOWN = 20
"""Violations of a part that are printed."""
COVERING_SCHEDULES = 5_000
"""So many random schedules must reach everything that they are meant to test."""
FILE_WIDTH = 110
"""Columns where the output is no terminal."""


class Finding(NamedTuple):
    """What a part of the proof found."""

    part: str
    result: Result
    seconds: float


class Caught(NamedTuple):
    """The rules that a mutant broke in the model, and in its cell if it has one."""

    mutant: Mutant
    in_model: tuple[Rule, ...]
    in_cell: tuple[Rule, ...]

    @property
    def is_caught(self) -> bool:
        """Whether it broke a rule that its mistake can break."""
        return not self.mutant.breaks.isdisjoint(self.in_model + self.in_cell)


def run_mutants(pool: Executor, on_progress: OnProgress) -> list[Caught]:
    """Run each mutant's schedule and cell."""
    caught: list[Caught] = []
    for mutant, broken in zip(MUTANTS.values(), pool.map(_broken_by, MUTANTS), strict=True):
        caught.append(Caught(mutant, *broken))
        on_progress(len(caught), len(MUTANTS))
    return caught


def _broken_by(name: str) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    mutant = MUTANTS[name]
    with driver() as one:
        return broken_in_model(mutant), broken_in_cell(mutant, one)


def broken_in_model(mutant: Mutant) -> tuple[Rule, ...]:
    problem = Played(read(mutant.schedule), mutant.alter).problem
    return problem.rules if problem else ()


def broken_in_cell(mutant: Mutant, one: Driver) -> tuple[Rule, ...]:
    return one.run(Cell.parse(mutant.cell), mutant.name).broken if mutant.cell else ()


@dataclass
class Proof:
    """What was found of our runtime, of other designs, and of our runtime with one mistake each.

    `unproven` has in sentences what the run does not prove, although our runtime broke no rule.
    """

    console: Console
    ours: list[Finding] = field(default_factory=list)
    competitors: list[Finding] = field(default_factory=list)
    mutants: list[Caught] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether our runtime broke no rule, and the proof was able to find broken rules."""
        return not (any(found.result.violations for found in self.ours) or self.unproven)

    def run(self, schedules: int, messages: int, bodies: int, cells_step: int, seed: int) -> None:
        """Run so much of each part, and every `cells_step`-th run of cells."""
        with process_pool(DRIVERS) as pool:
            self.ours.append(self._process_faults(pool, OURS, "process faults", cells_step))
            model = self._timed("model", partial(run_schedules, pool, schedules, seed))
            # Bodies need one core, and the soak waits for most of its time.
            delivered = pool.submit(_deliver_bodies, bodies)
            soak = self._timed("soak", partial(run_soak, messages, seed))
            self.ours += [model, Finding("extreme bodies", *delivered.result()), soak]
            for handler, name in COMPETITORS.items():
                self.competitors.append(self._process_faults(pool, handler, name, cells_step))
            with progress(self.console, "mutants") as on_progress:
                self.mutants = run_mutants(pool, on_progress)
        missed = [found.part for found in self.competitors if not found.result.violations]
        missed += [caught.mutant.name for caught in self.mutants if not caught.is_caught]
        self.unproven += [f"{name}: not caught" for name in missed]
        if schedules >= COVERING_SCHEDULES:
            unreached = [what for what, number in model.result.happened.items() if not number]
            self.unproven += [f"no schedule reached: {what}" for what in unreached]

    def _process_faults(self, pool: Executor, handler: str, name: str, step: int) -> Finding:
        return self._timed(
            name, partial(run_cells, pool, all_cells(pool, handler)[::step], handler)
        )

    def _timed(self, name: str, run: Callable[[OnProgress], Result]) -> Finding:
        begun = time.monotonic()
        with progress(self.console, name) as on_progress:
            return Finding(name, run(on_progress), time.monotonic() - begun)

    def tables(self) -> Iterator[Table]:
        """Yield the tables, the most important first."""
        yield summary_table("What was found", self.ours)
        yield summary_table("The same faults, other designs", self.competitors)
        yield mutants_table(self.mutants)
        for finding in self.ours:
            if happened := finding.result.happened:
                rows = tuple((what, f"{number:,}") for what, number in happened.items())
                yield Table(f"What happened: {finding.part}", ("what", "how often"), rows)

    def print(self) -> None:
        """Print the tables, and everything that was found."""
        for table in self.tables():
            show(self.console, table)
        for finding in self.ours:
            for violation in finding.result.violations[:MAX_SHOWN]:
                self.console.print(f"{finding.part}: {violation}", markup=False, style="red")
        for sentence in self.unproven:
            self.console.print(sentence, markup=False, style="red")


def _deliver_bodies(bodies: int) -> tuple[Result, float]:
    begun = time.monotonic()
    return deliver_bodies(bodies, lambda *_: None), time.monotonic() - begun


def summary_table(title: str, findings: Iterable[Finding]) -> Table:
    """One row for each part of the proof."""
    counts = ("lost", "duplicated", "wrong", "unresolved")
    columns = ("part", "size", *counts, "operator needed", "minutes")
    rows = []
    for finding in findings:
        result, minutes = finding.result, f"{finding.seconds / 60:.1f}"
        needed = "" if result.operator_needed is None else str(result.operator_needed)
        rows.append((finding.part, result.size, *map(str, result.counts), needed, minutes))
    return Table(title, columns, tuple(rows))


def mutants_table(results: Iterable[Caught]) -> Table:
    """Every mutant's mistake, and which rules it was seen to break."""
    rows = tuple(
        (caught.mutant.what, _numbers(caught.in_model), _numbers(caught.in_cell))
        for caught in results
    )
    columns = ("mistake", "rules broken in the model", "rules broken by real processes")
    return Table("Mutants: deliberate mistakes, each caught", columns, rows)


def _numbers(rules: Iterable[Rule]) -> str:
    return ", ".join(rule.split(".")[0] for rule in rules)


app = typer.Typer(add_completion=False, help=__doc__)


@app.callback(invoke_without_command=True)
def prove(  # noqa: PLR0917 - typer's parameters are options
    context: typer.Context,
    schedules: Annotated[int, typer.Option(help="random schedules of the model")] = 10_000,
    messages: Annotated[int, typer.Option(help="messages of the soak")] = 600,
    bodies: Annotated[int, typer.Option(help="extreme bodies to deliver")] = 2_000,
    cells_step: Annotated[int, typer.Option(help="run only every n-th run of cells")] = 1,
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
    proof = Proof(console)
    proof.run(schedules, messages, bodies, cells_step, chosen)
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
