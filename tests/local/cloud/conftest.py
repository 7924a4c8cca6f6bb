"""The whole local cloud; all messages are sent first, so that the waits for retries overlap.

The tests in `ops`, which need none of these messages, are first for the same reason.
It is stopped after this directory's last test: even without messages it uses half a core.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from local.aws import DUMMY_SECRET
from local.channel import Channel
from local.cloud import LocalCloud
from local.demo.scenarios import writes_message_sid
from local.dynamodb_proxy import DynamoDBError, Parameters
from local.lifecycle import wait_for
from local.message_tracker import MessageTracker
from local.vendors import FakeVendors
from ops import endpoints, queues
from tests.local.cloud.messages import (
    EMAILS,
    METRIC_FILTERS,
    TIMEOUT_SECONDS,
    FailedUpdate,
    bodies,
    context,
    recipient,
)
from tests.local.cloud.ops.local_operator import LocalOperator

DENIED = {recipient("unrecorded", channel) for channel in METRIC_FILTERS}
"""The recipients for whom DynamoDB denies to record a sid, until that has failed."""


@pytest.fixture(scope="package")
def fakes() -> FakeVendors:
    """Return the vendors of the local cloud."""
    return FakeVendors()


@pytest.fixture(scope="package")
def cloud(fakes: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Run the local cloud, deployed by the real command line."""
    with LocalCloud(fakes, workdir=tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="package", autouse=True)
def trackers(cloud: LocalCloud, fakes: FakeVendors) -> Mapping[str, MessageTracker]:
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
    for address in EMAILS:
        body = context("email", address)
        trackers[address] = MessageTracker.send(cloud.channels["email"], body)
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


@pytest.fixture(scope="package")
def session(cloud: LocalCloud) -> boto3.Session:
    """Return one session for all commands: a new one parses AWS's models again."""
    return boto3.Session(f"local-cloud-{cloud.aws.account}", DUMMY_SECRET, None, cloud.aws.region)


@pytest.fixture
def operator(
    cloud: LocalCloud,
    fakes: FakeVendors,
    session: boto3.Session,
    failed_updates: Mapping[str, FailedUpdate],  # noqa: ARG001 - `erase` needs them repaired
    monkeypatch: pytest.MonkeyPatch,
) -> LocalOperator:
    """Return an operator with a tenant of their own."""
    operator = LocalOperator(cloud, fakes, session)
    for name, value in operator.environment().items():
        if name not in {"PATH", "HOME"}:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # one process holds the whole queue
    monkeypatch.setattr(endpoints, "boto3", SimpleNamespace(Session=lambda **_: session))
    return operator
