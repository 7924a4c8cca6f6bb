"""The channel of the kit, the operator's tool on it, and its suppressions."""

import pytest

from ops.audit import AuditContext
from ops.suppressions import Suppressions
from tests.ops.conftest import operator  # noqa: F401 - a fixture
from tests.support.channel import Channel
from tests.support.fixtures import *  # noqa: F403 - fixtures

NOW = 2_000_000_000.0
AUDIT = AuditContext("arn:aws:iam::123456789012:user/on-duty", "request 17", NOW)


@pytest.fixture
def suppressions(channel: Channel) -> Suppressions:
    """Return the channel's suppressions."""
    return Suppressions(channel.dynamodb, channel.table, "whatsapp")
