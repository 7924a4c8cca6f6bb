"""What every unit test stands on: no sockets, and a world of fakes."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit.fakes.world import World
from tests.unit.log_lines import LogLines, configured

# Reproducible and leaving nothing behind: a red run is about the change at hand.
settings.register_profile("unit", deadline=None, database=None, derandomize=True)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Whatever opens a socket fails, and names itself."""


@pytest.fixture
def world() -> World:
    """Fakes, in a state in which a valid context object is sent."""
    return World()


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """The function's log, configured as in Lambda."""
    with configured() as lines:
        yield lines


@pytest.fixture
def unsettled(world: World) -> World:
    """A message that was sent after 2 s, although its answer was lost; its sender has given up."""
    world.while_writing(lambda: world.clock.advance(2))
    world.sender.lose_answer()
    with pytest.raises(SendOutcomeUnknown):
        world.process()
    world.clock.advance(world.timing.send_span)
    return world
