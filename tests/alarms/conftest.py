"""The log lines and the deployment that all tests of the alarm chain share."""

import json

import pytest

from tests.alarms.cases import ON_CALL
from tests.alarms.chain import AlarmChain
from tests.alarms.situations import SITUATIONS, Lines
from tests.infra.synthesis import Synthesized, synthesize
from tests.support.fixtures import *  # noqa: F403 - fixtures

_recorded: dict[str, tuple[str, ...]] = {}


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Lines:
    """Return the runtime's log lines by situation; the runtime runs once per process."""
    if not _recorded:
        running = request.getfixturevalue("channel")
        for name, situation in SITUATIONS.items():
            situation.run(running)
            _recorded[name] = tuple(map(json.dumps, running.read_log()))
    return _recorded


@pytest.fixture(scope="session")
def deployed() -> Synthesized:
    """Return the sample environment with an alert address and a customer managed key."""
    return synthesize(alert_email=ON_CALL, customer_managed_key=True)


@pytest.fixture(scope="session")
def chain(deployed: Synthesized) -> AlarmChain:
    """Return the alarm chain of that environment."""
    return AlarmChain.of(deployed)
