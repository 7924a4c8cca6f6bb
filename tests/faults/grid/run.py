"""The whole grid, by several drivers at once: what they do most is wait."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context

from tests.faults.grid.cells import Boundary, Cell, cells_of, least_plays
from tests.faults.grid.driver import driver
from tests.faults.grid.handlers import OURS
from tests.faults.grid.leash import end_with_parent
from tests.faults.grid.results import CellResult, GridResult
from tests.faults.grid.scenarios import SCENARIOS

PER_TASK = 5
"""Plays that a driver makes before it takes more."""
DRIVERS = 2 * (os.cpu_count() or 1)

_Play = tuple[Cell, frozenset[Cell]]
OnProgress = Callable[[int, int], None]
"""Told how many cells are done, of how many."""


def boundaries(handler: str = OURS, drivers: int = DRIVERS) -> tuple[Boundary, ...]:
    """Every boundary of every scenario, recorded as that handler makes its calls."""
    with _pool(drivers) as pool:
        recorded = list(pool.map(_recorded, SCENARIOS, [handler] * len(SCENARIOS)))
    return tuple(boundary for part in recorded for boundary in part)


def all_cells(handler: str = OURS, drivers: int = DRIVERS) -> tuple[Cell, ...]:
    """Every cell of the grid, for the calls that this handler makes."""
    return tuple(cells_of(boundaries(handler, drivers)))


def run(
    cells: Iterable[Cell],
    handler: str = OURS,
    on_progress: OnProgress = lambda _done, _all: None,
    drivers: int = DRIVERS,
) -> GridResult:
    """Play cells.

    Args:
        cells: Which.
        handler: Name of the handler to play them with, see `handlers.names`.
        on_progress: Told how many cells are done, of how many.
        drivers: How many of them are played at once.
    """
    cells = tuple(cells)
    results: dict[Cell, CellResult] = {}
    with _pool(drivers) as pool:
        plays = tuple(least_plays(cells).items())
        tasks = [pool.submit(_played, part, handler) for part in _parts(plays)]
        for task in as_completed(tasks):
            results |= {result.cell: result for result in task.result()}
            on_progress(len(results), len(cells))
    return GridResult(handler, tuple(results[cell] for cell in cells))


def replay(name: str, handler: str = OURS) -> CellResult:
    """Play the one cell of that name, in this process.

    Raises:
        ValueError: No cell can have this name.
    """
    cell = Cell.parse(name)
    with driver() as one:
        return one.play(cell, handler)


def _recorded(scenario: str, handler: str) -> tuple[Boundary, ...]:
    with driver() as one:
        return one.boundaries(SCENARIOS[scenario], handler)


def _played(plays: Sequence[_Play], handler: str) -> list[CellResult]:
    with driver() as one:
        return [
            _in_short(result)
            for cell, wanted in plays
            for result in one.play_through(cell, handler)
            if result.cell in wanted
        ]


def _in_short(result: CellResult) -> CellResult:
    return replace(result, story=(), log=()) if result.is_as_promised else result


def _parts(plays: Sequence[_Play]) -> Iterator[Sequence[_Play]]:
    return (plays[start : start + PER_TASK] for start in range(0, len(plays), PER_TASK))


@contextmanager
def _pool(drivers: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned: a driver has threads and servers, and starts workers of its own.
    pool = ProcessPoolExecutor(
        drivers, mp_context=get_context("spawn"), initializer=end_with_parent
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
