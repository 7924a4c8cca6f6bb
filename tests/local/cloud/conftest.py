"""The whole local cloud: the demonstration, and then the messages of all tests.

They are sent at once, so that the waits for retries overlap. `test_commands`, which needs few of
them, is first for the same reason.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from local.channel import Channel
from local.cloud import LocalCloud
from local.demo import run
from local.demo.scenarios import writes_message_sid
from local.dynamodb_proxy import DynamoDBError, Parameters
from local.lifecycle import wait_for
from local.message_tracker import MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    EMAIL,
    METRIC_FILTERS,
    TIMEOUT_SECONDS,
    FailedUpdate,
    bodies,
    context,
    recipient,
)
from tests.local.recorded_screen import RecordedScreen
from tests.local.remains import remains

DENIED = {recipient("unrecorded", channel) for channel in METRIC_FILTERS}
"""The recipients for whom DynamoDB denies to record a sid, until that has failed."""


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

    def is_denied(parameters: Parameters) -> bool:
        number = parameters.get("Key", {}).get("primary_channel", {}).get("S")
        return number in DENIED and writes_message_sid(parameters)

    cloud.dynamodb_proxy.fail("UpdateItem", DynamoDBError.ACCESS_DENIED, is_denied)
    trackers = {
        number: MessageTracker.send(cloud.channels[channel], body)
        for channel in METRIC_FILTERS
        for number, body in bodies(channel, fakes).items()
    }
    trackers[EMAIL] = MessageTracker.send(cloud.channels["email"], context("email", EMAIL))
    number = recipient("free text")
    free_text = MessageTracker.send(cloud.channel, context("whatsapp-free-text", number))
    return {**trackers, number: free_text}


@pytest.fixture(scope="package")
def failed_updates(
    trackers: Mapping[str, MessageTracker], cloud: LocalCloud
) -> Mapping[str, FailedUpdate]:
    """Wait until the final update has failed on each channel; from then on it is allowed."""
    failures = {}
    for name in METRIC_FILTERS:
        channel, tracker = cloud.channels[name], trackers[recipient("unrecorded", name)]
        line = wait_for(partial(_critical_line, channel, tracker), TIMEOUT_SECONDS)
        assert line, channel.log_of(tracker.message_id)
        failures[name] = line, tracker.status()
    DENIED.clear()
    return failures


def _critical_line(channel: Channel, tracker: MessageTracker) -> dict[str, Any] | None:
    lines = channel.log_of(tracker.message_id)
    return next((line for line in lines if line["level"] == "CRITICAL"), None)
