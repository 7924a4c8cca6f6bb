"""The whole local cloud; all messages are sent first, so that the waits for retries overlap.

It is stopped after this directory's last test: even without messages it uses half a core.
"""

from collections.abc import Iterator, Mapping

import pytest

from local.cloud import LocalCloud
from local.demo.scenarios import writes_message_sid
from local.dynamodb_proxy import DynamoDBError, Parameters
from local.message_tracker import MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import FREE, METRIC_FILTERS, UNRECORDED, bodies, context, on


@pytest.fixture(scope="package")
def fakes() -> FakeVendors:
    """Return the vendors of the local cloud."""
    return FakeVendors()


@pytest.fixture(scope="package")
def cloud(fakes: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Run the local cloud, deployed by the real command line."""
    with LocalCloud(fakes, workdir=tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def unrecorded() -> set[str]:
    """Return the recipients for whom DynamoDB denies to record a sid; tests may remove them."""
    return {on(channel, UNRECORDED) for channel in METRIC_FILTERS}


@pytest.fixture(scope="package", autouse=True)
def trackers(
    cloud: LocalCloud, fakes: FakeVendors, unrecorded: set[str]
) -> Mapping[str, MessageTracker]:
    """Send a message to each number, each with a fault of its own."""

    def is_denied(parameters: Parameters) -> bool:
        recipient = parameters.get("Key", {}).get("primary_channel", {}).get("S")
        return recipient in unrecorded and writes_message_sid(parameters)

    cloud.dynamodb_proxy.fail("UpdateItem", DynamoDBError.ACCESS_DENIED, is_denied)
    trackers = {
        number: MessageTracker.send(cloud.channels[channel], body)
        for channel in METRIC_FILTERS
        for number, body in bodies(channel, fakes).items()
    }
    free_text = context("whatsapp-free-text", FREE)
    return {**trackers, FREE: MessageTracker.send(cloud.channel, free_text)}
