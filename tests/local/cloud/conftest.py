"""The whole local cloud: the demonstration, and then the messages of all tests.

They are sent at once, so that the waits for retries overlap. `test_commands`, which needs few of
them, is first for the same reason.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext

import pytest

from local.cloud import LocalCloud
from local.demo import run
from local.message_tracker import MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import CHANNELS, bodies, context, recipient
from tests.local.recorded_screen import RecordedScreen
from tests.local.remains import remains


@pytest.fixture(scope="package")
def fakes() -> FakeVendors:
    """Return the vendors of the local cloud."""
    return FakeVendors()


@pytest.fixture(scope="package")
def cloud(fakes: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Run the local cloud, deployed by the real command line; nothing of it is left behind."""
    with LocalCloud(fakes, workdir=tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
    assert [] == remains(os.getpid())


@pytest.fixture(scope="package")
def demo(cloud: LocalCloud, fakes: FakeVendors) -> tuple[int, str]:
    """Run the demonstration while nothing else is sent; return its exit code and its output."""
    screen = RecordedScreen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "LocalCloud", lambda *_, **__: nullcontext(cloud))
        patch.setattr(run, "FakeVendors", lambda: fakes)
        return run.run(screen), screen.text()


@pytest.fixture(scope="package", autouse=True)
def trackers(
    cloud: LocalCloud,
    fakes: FakeVendors,
    demo: tuple[int, str],  # noqa: ARG001 - before these messages
) -> Mapping[str, MessageTracker]:
    """Send a message to each number, each with a fault of its own."""
    trackers = {
        number: MessageTracker.send(cloud.channels[channel], body)
        for channel in CHANNELS
        for number, body in bodies(channel, fakes).items()
    }
    number = recipient("free text")
    free_text = MessageTracker.send(cloud.channel, context("whatsapp-free-text", number))
    return {**trackers, number: free_text}
