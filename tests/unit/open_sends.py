"""Deliveries of a message whose send is open."""

import pytest

from lambda_src.core.send_errors import SendOutcomePending
from tests.unit.fakes.world import World


def pending(world: World, receive_count: int = 2) -> SendOutcomePending:
    """Settle, without success so far."""
    with pytest.raises(SendOutcomePending) as raised:
        world.process(receive_count=receive_count)
    return raised.value


def come_back(world: World, error: SendOutcomePending) -> None:
    """Let the time pass after which the message is delivered again."""
    assert error.again_in is not None
    world.clock.advance(error.again_in)
    world.begin_invocation()
