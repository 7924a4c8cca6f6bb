"""Run all measurements: `python -m benchmarks --help`."""

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import bundles, callbacks, local_cloud, measurements, running_cloud
from benchmarks.backend import backend
from benchmarks.figures import Figure, figure_table
from local.paths import ROOT
from ops.console import print_in_any_encoding
from tests.faults import report
from tests.faults.report import Table

DOCUMENT = ROOT / "docs" / "performance.md"

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each contestant.")] = 5,
    messages: Annotated[int, typer.Option(min=100, help="Messages of the long runs.")] = 1_000,
    write: Annotated[bool, typer.Option(help="Write docs/performance.md.")] = True,
) -> None:
    """Measure our runtime, two other handlers and the limit; exit with 1 if a goal is missed."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each synth would compile our files again
    console = Console()
    figures = list(_measure(console, rounds, messages))
    callback_figures, costs = _measure_callbacks(console, rounds)
    with backend() as services, report.progress(console, "operator CLI") as on_progress:
        operator_figures = measurements.operator_cli(services, rounds, on_progress)
    with report.progress(console, "local cloud") as on_progress:
        tables = [
            figure_table(figures),
            figure_table(callback_figures, callbacks.TITLE, callbacks.CONTESTANTS),
            costs,
            figure_table(
                operator_figures, measurements.OPERATOR_TITLE, [*measurements.OPERATOR_CONTESTANTS]
            ),
            local_cloud.measure(messages, on_progress),
        ]
    with report.progress(console, "running local cloud") as on_progress:
        idle = running_cloud.measure(messages, on_progress)
        tables.append(running_cloud.idle_table(idle))
    for table in tables:
        report.show(console, table)
    if write:
        run = (
            f"Run on {datetime.now(UTC).date()} ({platform.machine()}, Linux), medians of {rounds}"
            f" rounds: `make bench ROUNDS={rounds} MESSAGES={messages}`."
        )
        report.write(tables, run, DOCUMENT)
    is_met = all(
        figure.is_met(goal)
        for figure in [*figures, *callback_figures, *operator_figures]
        for goal in figure.goals
    ) and all(each.is_met for each in idle)
    raise typer.Exit(0 if is_met else 1)


def _measure(console: Console, rounds: int, messages: int) -> Iterator[Figure]:
    with console.status("building the bundles …"):
        contestants = [bundles.ours(), bundles.straightforward(), bundles.powertools()]
    yield measurements.package_size(contestants)
    with backend() as services:
        with report.progress(console, "cold starts") as on_progress:
            yield from measurements.cold_starts(
                services, contestants, bundles.limit(), rounds, on_progress
            )
        with report.progress(console, "batches of ten") as on_progress:
            yield measurements.batch_duration(services, contestants, rounds, on_progress)
        with report.progress(console, "processor and memory") as on_progress:
            yield from measurements.resources(services, contestants, rounds, on_progress)
        with report.progress(console, "many messages") as on_progress:
            yield from measurements.long_run(
                services, contestants[0], messages, rounds, on_progress
            )
    with report.progress(console, "cdk synth") as on_progress:
        yield measurements.synthesis(rounds, on_progress)


def _measure_callbacks(console: Console, rounds: int) -> tuple[list[Figure], Table]:
    with backend() as services:
        with report.progress(console, "cold starts of the receiver") as on_progress:
            figures = callbacks.cold_starts(services, rounds, on_progress)
        with report.progress(console, "status callbacks") as on_progress:
            figures.append(callbacks.throughput(services, rounds, on_progress))
        return figures, callbacks.cost_table(callbacks.count_usage(services))


if __name__ == "__main__":
    print_in_any_encoding()
    app()
