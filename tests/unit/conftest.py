"""Unit tests open no sockets and run on the kit's fakes."""

from collections.abc import Iterator

import pytest

from lambda_src.core.errors import SendOutcomeUnknown
from tests.support.logs import LogLines, configured
from tests.support.runtime import FakeRuntime


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Let every attempt to open a socket fail."""


@pytest.fixture
def runtime() -> FakeRuntime:
    """Fakes, in a state in which the default context object is sent."""
    return FakeRuntime()


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """The function's log, configured as in Lambda."""
    with configured() as lines:
        yield lines


@pytest.fixture
def unresolved(runtime: FakeRuntime) -> FakeRuntime:
    """A message that was sent after 2 s with its answer lost, past its sender's deadline."""
    runtime.while_generating(lambda: runtime.clock.advance(2))
    runtime.sender.lose_answer()
    with pytest.raises(SendOutcomeUnknown):
        runtime.process()
    runtime.clock.advance(runtime.times.max_send_duration)
    return runtime
