"""The template, and the lines that the runtime logs, for all tests of the alarm chain."""

import json
from collections.abc import Mapping

import pytest

from tests.alarms.stories import STORIES
from tests.infra.conftest import dev  # noqa: F401 - a fixture
from tests.services.channel import Channel
from tests.services.conftest import (  # noqa: F401 - fixtures
    account,
    aws,
    channel,
    openai,
    openai_server,
    queue_url,
    secrets,
    table,
    twilio,
    twilio_server,
)

Lines = Mapping[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def recording() -> dict[str, tuple[str, ...]]:
    """Return what keeps the lines for the session: the runtime needs to run once."""
    return {}


@pytest.fixture
def lines(request: pytest.FixtureRequest, recording: dict[str, tuple[str, ...]]) -> Lines:
    """Return the log of each story, as the runtime wrote it."""
    if not recording:
        running: Channel = request.getfixturevalue("channel")
        recording |= {name: _log_of(name, running) for name in STORIES}
    return recording


def _log_of(story: str, running: Channel) -> tuple[str, ...]:
    STORIES[story].play(running)
    return tuple(json.dumps(line) for line in running.read_log())
