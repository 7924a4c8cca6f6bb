"""A deployed channel, and the tool that finds it."""

from types import SimpleNamespace

import boto3
import pytest

from ops import letters, surroundings
from tests.ops.deployed import deploy
from tests.ops.office import Office
from tests.services.account import variables
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


@pytest.fixture
def office(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Office:  # noqa: F811 - a fixture
    """Return a channel whose stack can be found."""
    monkeypatch.setattr(letters, "POLL_SECONDS", 0)  # nobody else is at this queue
    one_session = SimpleNamespace(Session=lambda **_: boto3.DEFAULT_SESSION)
    monkeypatch.setattr(surroundings, "boto3", one_session)  # a new one reads AWS's models anew
    role = {"RoleName": "made-up", "AssumeRolePolicyDocument": "{}"}
    boto3.client("iam").create_role(**role)
    dead_letters = boto3.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"]
    deploy(
        variables(channel.queue_url, channel.table, channel.openai, channel.twilio), dead_letters
    )
    return Office(channel, dead_letters)
