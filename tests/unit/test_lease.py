"""A lease as its holder knows it, and the end of the time for an answer: both before it is paid."""

import pytest

from lambda_src.core.errors import LeaseLost, TransientFailure
from lambda_src.core.lease import Lease
from lambda_src.core.openai_deadline import Deadline
from tests.unit.fakes.world import LEASE, World
from tests.unit.test_claims import held, put


@pytest.fixture
def lease(world: World) -> Lease:
    """The lease of a conversation just claimed."""
    return Lease(world.claims, held(world))


def test_a_lease_lasts_as_long_as_it_was_given_for(world: World, lease: Lease) -> None:
    """Until the very end nobody else can have taken the conversation."""
    world.clock.advance(LEASE - 0.1)
    lease.check()
    world.clock.advance(0.1)
    with pytest.raises(LeaseLost, match="lease_lapsed"):
        lease.check()


def test_a_renewed_lease_lasts_longer(world: World, lease: Lease) -> None:
    """Each renewal counts from its own time on."""
    world.clock.advance(LEASE - 1)
    lease.renew()
    world.clock.advance(LEASE - 1)
    lease.check()


def test_a_lease_that_another_has_taken_is_over_at_once(world: World, lease: Lease) -> None:
    """A renewal that finds another's claim ends the lease before its time."""
    put(world)
    with pytest.raises(LeaseLost):
        lease.renew()
    with pytest.raises(LeaseLost):
        lease.check()


def test_who_was_held_up_for_longer_than_the_lease_asks_no_ai(world: World) -> None:
    """Another worker may have had the answer written meanwhile: it is not paid for again."""
    world.secrets.during = lambda: world.clock.advance(LEASE)
    with pytest.raises(LeaseLost):
        world.process()
    assert [] == world.writer.billed


def test_nobody_waits_for_an_answer_when_its_time_is_over() -> None:
    """A worker that was held up between the requests for an answer does not begin to pay for it."""
    Deadline(60).check()
    with pytest.raises(TransientFailure, match="openai_timeout"):
        Deadline(0).check()
