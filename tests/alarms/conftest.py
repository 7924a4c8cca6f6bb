"""The log lines and the deployment that all tests of the alarm chain share."""

import json

import pytest

from tests.alarms.chain import AlarmChain
from tests.alarms.situations import EVENT_SITUATIONS, SITUATIONS, Lines
from tests.infra.synthesis import EVERYTHING, Synthesized, synthesize
from tests.support.fixtures import *  # noqa: F403 - fixtures

_recorded: dict[str, tuple[str, ...]] = {}


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Lines:
    """Return the runtime's log lines by situation; the runtime runs once per process."""
    if not _recorded:
        channel, callbacks = map(request.getfixturevalue, ("channel", "callbacks"))
        for name, situation in SITUATIONS.items():
            situation.run(channel)
            _recorded[name] = tuple(map(json.dumps, channel.read_log()))
        for name, of_events in EVENT_SITUATIONS.items():
            of_events.run(callbacks)
            _recorded[name] = tuple(map(json.dumps, channel.read_log()))
    return _recorded


@pytest.fixture(scope="session")
def deployed() -> Synthesized:
    """Return the sample environment with an alert address, a key and all delivery events."""
    return synthesize(**EVERYTHING)


@pytest.fixture(scope="session")
def chain(deployed: Synthesized) -> AlarmChain:
    return AlarmChain.of(deployed)
