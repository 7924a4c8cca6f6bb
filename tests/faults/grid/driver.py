"""A driver: plays cells one after the other, in its own process, each in a fresh world."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.grid.cells import Boundary, Cell
from tests.faults.grid.handlers import OURS
from tests.faults.grid.play import Play
from tests.faults.grid.recording import boundaries_of
from tests.faults.grid.results import CellResult
from tests.faults.grid.runner import CONTEXT
from tests.faults.grid.scenarios import Scenario
from tests.faults.grid.services import Services, services
from tests.faults.grid.virtual_time import SharedTime
from tests.faults.grid.world import World


@dataclass(frozen=True)
class Driver:
    """Plays cells; made by `driver`."""

    services: Services
    scratch: Path

    def boundaries(self, scenario: Scenario, handler: str = OURS) -> tuple[Boundary, ...]:
        """The calls that a scenario examines, as that handler makes them."""
        world = World(self.services, scenario, handler, self.scratch)
        try:
            return boundaries_of(world)
        finally:
            world.close()

    def play(self, cell: Cell, handler: str = OURS) -> CellResult:
        """Play one cell, and tell what became of it.

        Args:
            cell: The cell.
            handler: Name of the handler, see `handlers`.
        """
        return self.play_through(cell, handler)[-1]

    def play_through(self, cell: Cell, handler: str = OURS) -> tuple[CellResult, ...]:
        """Play one cell, and tell what became of each that it goes through, its own last."""
        world = World(self.services, cell.story, handler, self.scratch)
        try:
            return tuple(Play(cell, world).results())
        except Exception as error:  # noqa: BLE001 - one cell must not end the others
            story, log = world.journal.story(), world.log()
            told = f"{type(error).__name__}: {error}"
            return tuple(CellResult(one, error=told, story=story, log=log) for one in cell.passed)
        finally:
            world.close()


@contextmanager
def driver() -> Iterator[Driver]:
    """A driver in this process, while the context lasts."""
    with (
        services(SharedTime(CONTEXT)) as world_beyond,
        tempfile.TemporaryDirectory(prefix="grid-") as scratch,
    ):
        yield Driver(world_beyond, Path(scratch))
