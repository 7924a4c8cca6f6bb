"""A deployed channel, and the tool that finds it."""

import sys
from contextlib import redirect_stdout
from threading import Lock

import boto3
import pytest

from local.fakes import TwilioSettings
from ops import deployment, endpoints, queues
from ops.dlq import runner
from tests.ops.operator_channel import Deployments, OperatorChannel
from tests.support.aws_account import variables
from tests.support.channel import Channel
from tests.support.fixtures import *  # noqa: F403 - fixtures


@pytest.fixture
def operator(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> OperatorChannel:
    """Return a channel whose stack the tool finds; Twilio delivers its messages at once.

    The function processes its queue while a redrive waits for the first outcomes.
    """
    channel.twilio.settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # no other consumer
    monkeypatch.setattr(deployment, "entry_points", lambda **_: ())  # reads all packages' metadata
    names = ("dead-letters", "events", "events-dead-letters", "hand-off")
    urls = [channel.sqs.create_queue(QueueName=name)["QueueUrl"] for name in names]
    outputs = ("DeadLetterQueueUrl", "EventsQueueUrl", "EventsDeadLetterQueueUrl")
    deployed = variables(channel.queue_url, channel.table, channel.openai, channel.twilio)
    deployments = Deployments()
    # On a busy machine the fake may take longer than the function's two seconds.
    deployed |= {"TWILIO_TIMEOUT_SECONDS": "20", "HANDOFF_QUEUE_URL": urls[-1]}
    monkeypatch.setenv("HANDOFF_QUEUE_URL", urls[-1])
    deployments.add(deployed, dict(zip(outputs, urls, strict=False)))

    session = boto3.Session()
    # A new session parses AWS's models again.
    monkeypatch.setattr(endpoints, "new_session", lambda: session._session)
    deployments.register(session.events)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    found, is_processing = OperatorChannel(channel, deployments, *urls), Lock()

    def process(_: float) -> None:
        with is_processing, redirect_stdout(sys.stderr):  # the function prints its metrics
            found.process_queue()

    monkeypatch.setattr(runner, "sleep", process)
    return found
