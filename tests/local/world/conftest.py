"""The whole local cloud; all messages are under way at once, so that their waits overlap.

It ends with this directory's last test: even without messages it keeps a core half busy.
"""

from collections.abc import Iterator, Mapping

import pytest

from local.demo.failure_story import records_a_sid
from local.dynamodb_gateway import Call, Refusal, Rule
from local.journey import Journey
from local.vendors import StandIns
from local.world import World
from tests.local.world.traffic import FILTERS, FREE, UNRECORDED, bodies, context, on


@pytest.fixture(scope="package")
def stand_ins() -> StandIns:
    """Return the vendors of `world`."""
    return StandIns()


@pytest.fixture(scope="package")
def world(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the local cloud, deployed by the real command line."""
    with World(stand_ins, workdir=tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="package")
def unrecorded() -> set[str]:
    """Recipients whose record takes no sid, as long as they stand here."""
    return {on(channel, UNRECORDED) for channel in FILTERS}


@pytest.fixture(scope="package")
def journeys(world: World, stand_ins: StandIns, unrecorded: set[str]) -> Mapping[str, Journey]:
    """Send a message to each number, each with a fault of its own."""

    def records_the_unrecorded(call: Call) -> bool:
        return records_a_sid(call) and call["Key"]["primary_channel"]["S"] in unrecorded

    world.gateway.refuse(Rule("UpdateItem", Refusal.ACCESS_DENIED, records_the_unrecorded))
    begun = {
        number: Journey.begin(world.channels[channel], body)
        for channel in FILTERS
        for number, body in bodies(channel, stand_ins).items()
    }
    free_text = context("whatsapp-free-text", FREE)
    return {**begun, FREE: Journey.begin(world.channel, free_text)}
