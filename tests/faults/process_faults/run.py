"""All cells, several drivers at once: what they do most is wait."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.parallel import process_pool
from tests.faults.process_faults.cell_run import CellRun, boundaries_of
from tests.faults.process_faults.cells import (
    Boundary,
    Cell,
    CellResult,
    CellsResult,
    cells_of,
    fewest_runs,
)
from tests.faults.process_faults.clock import SharedTime
from tests.faults.process_faults.environment import Environment
from tests.faults.process_faults.runner import CONTEXT
from tests.faults.process_faults.scenarios import SCENARIOS, Scenario
from tests.faults.process_faults.services import Services, services
from tests.faults.process_faults.worker import OURS

RUNS_PER_TASK = 5
DRIVERS = 2 * (os.cpu_count() or 1)

_Run = tuple[Cell, frozenset[Cell]]


@dataclass(frozen=True)
class Driver:
    """Runs cells one after the other in this process, each in a new environment."""

    services: Services
    scratch: Path

    @contextmanager
    def environment(self, scenario: Scenario, handler: str = OURS) -> Iterator[Environment]:
        """Yield a new environment."""
        environment = Environment(self.services, scenario, handler, self.scratch)
        try:
            yield environment
        finally:
            environment.close()

    def boundaries(self, scenario: Scenario, handler: str = OURS) -> tuple[Boundary, ...]:
        """Return the calls that a scenario examines, as that handler makes them."""
        with self.environment(scenario, handler) as environment:
            return boundaries_of(environment)

    def run(self, cell: Cell, handler: str = OURS) -> CellResult:
        """Run one cell with the handler of that name."""
        return self.run_covered(cell, handler)[-1]

    def run_covered(self, cell: Cell, handler: str = OURS) -> tuple[CellResult, ...]:
        """Run one cell, and return the result of each that it covers, its own last."""
        with self.environment(cell.setup, handler) as environment:
            try:
                return tuple(CellRun(cell, environment).results())
            except Exception as error:  # noqa: BLE001 - one cell must not end the others
                trace, log = environment.journal.trace(), environment.log()
                what = f"{type(error).__name__}: {error}"
                failed = (CellResult(c, error=what, trace=trace, log=log) for c in cell.covered)
                return tuple(failed)


@contextmanager
def driver() -> Iterator[Driver]:
    """Yield a driver; meanwhile this process's SQS uses the cells' time."""
    with (
        services(SharedTime(CONTEXT)) as made,
        tempfile.TemporaryDirectory(prefix="cells-") as scratch,
    ):
        yield Driver(made, Path(scratch))


def all_cells(handler: str = OURS, drivers: int = DRIVERS) -> tuple[Cell, ...]:
    """Return every cell, for the calls that this handler makes."""
    with process_pool(drivers) as pool:
        boundaries = list(pool.map(_boundaries, SCENARIOS, [handler] * len(SCENARIOS)))
    return tuple(cells_of(boundary for part in boundaries for boundary in part))


def run_cells(
    cells: Iterable[Cell],
    handler: str = OURS,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    drivers: int = DRIVERS,
) -> CellsResult:
    """Run cells.

    Args:
        cells: Which.
        handler: Name of the handler.
        on_progress: Called with how many cells are done, of how many.
        drivers: How many cells are run at once.
    """
    cells = tuple(cells)
    results: dict[Cell, CellResult] = {}
    runs = tuple(fewest_runs(cells).items())
    parts = [runs[start : start + RUNS_PER_TASK] for start in range(0, len(runs), RUNS_PER_TASK)]
    with process_pool(drivers) as pool:
        for task in as_completed([pool.submit(_run, part, handler) for part in parts]):
            results |= {result.cell: result for result in task.result()}
            on_progress(len(results), len(cells))
    return CellsResult.of(handler, (results[cell] for cell in cells))


def _boundaries(scenario: str, handler: str) -> tuple[Boundary, ...]:
    with driver() as one:
        return one.boundaries(SCENARIOS[scenario], handler)


def _run(runs: Sequence[_Run], handler: str) -> list[CellResult]:
    with driver() as one:
        return [
            replace(result, trace=(), log=()) if result.is_kept else result
            for cell, wanted in runs
            for result in one.run_covered(cell, handler)
            if result.cell in wanted
        ]
