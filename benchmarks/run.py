"""The whole run: each part after the other, every contestant in each."""

from collections.abc import Iterator

from rich.console import Console

from benchmarks import batches, bundles, cold_start, scale, synthesis
from benchmarks.figures import Figure, Goal
from benchmarks.world import World, world
from tests.faults.report.terminal import progress


def run(console: Console, rounds: int, messages: int) -> Iterator[Figure]:
    """Measure everything.

    Args:
        console: Where progress is shown.
        rounds: How often each contestant has its turn.
        messages: How many messages one environment works on, to see what the last ones cost.
    """
    with console.status("making the bundles …"):
        contestants = [bundles.ours(), bundles.straightforward(), bundles.powertools()]
    yield _weight(contestants)
    with world() as here:
        yield from _runtimes(here, contestants, console, rounds, messages)
    with progress(console, "cdk synth") as tell:
        yield synthesis.measure(rounds, tell)


def _runtimes(
    here: World, contestants: list[bundles.Bundle], console: Console, rounds: int, messages: int
) -> Iterator[Figure]:
    with progress(console, "cold starts") as tell:
        yield from cold_start.measure(here, contestants, bundles.limit(), rounds, tell)
    with progress(console, "batches of ten") as tell:
        yield batches.measure_time(here, contestants, rounds, tell)
    with progress(console, "processor and memory") as tell:
        yield from batches.measure_cost(here, contestants, rounds, tell)
    with progress(console, "many messages") as tell:
        yield from scale.measure(here, contestants[0], messages, tell)


def _weight(contestants: list[bundles.Bundle]) -> Figure:
    weights = {bundle.name: [bundle.zipped_bytes() / 1_000_000] for bundle in contestants}
    return Figure("package, zipped", "MB", weights, (Goal(0.4, "straightforward"),))
