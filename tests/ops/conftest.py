"""A deployed channel, and the tool that finds it."""

from types import SimpleNamespace

import boto3
import pytest

from local.fakes import TwilioSettings
from ops import endpoints, queues
from tests.ops.operator_channel import OperatorChannel, create_stack
from tests.support.aws_account import variables
from tests.support.channel import Channel
from tests.support.fixtures import *  # noqa: F403 - fixtures


@pytest.fixture
def operator(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> OperatorChannel:
    """Return a channel whose stack the tool finds; Twilio delivers its messages at once."""
    channel.twilio.settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # no other consumer
    one_session = SimpleNamespace(Session=lambda **_: boto3.DEFAULT_SESSION)
    monkeypatch.setattr(endpoints, "boto3", one_session)  # a new session parses AWS's models again
    names = ("dead-letters", "events", "events-dead-letters")
    urls = [channel.sqs.create_queue(QueueName=name)["QueueUrl"] for name in names]
    outputs = ("DeadLetterQueueUrl", "EventsQueueUrl", "EventsDeadLetterQueueUrl")
    deployed = variables(channel.queue_url, channel.table, channel.openai, channel.twilio)
    # On a busy machine the fake may take longer than the function's two seconds.
    create_stack(deployed | {"TWILIO_TIMEOUT_SECONDS": "20"}, dict(zip(outputs, urls, strict=True)))
    return OperatorChannel(channel, *urls)
