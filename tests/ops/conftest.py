"""A deployed channel, and the tool that finds it."""

import sys
from contextlib import redirect_stdout
from threading import Lock
from typing import Any

import pytest
from botocore.session import Session

from local.fakes import TwilioSettings
from ops import deployment, endpoints, queues
from ops.dlq import runner
from tests.ops.operator_channel import Deployments, OperatorChannel
from tests.support.aws_account import variables
from tests.support.channel import Channel
from tests.support.fixtures import *  # noqa: F403 - fixtures


class SharedSession(Session):
    """Makes each client once: that takes longer than most calls."""

    def __init__(self) -> None:
        super().__init__()
        self.deployments = Deployments()
        self.deployments.register(self.get_component("event_emitter"))
        self._shared: dict[str, Any] = {}

    def create_client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        if service_name not in self._shared:
            made = super().create_client(service_name, *arguments, **options)
            self._shared[service_name] = made
        return self._shared[service_name]


@pytest.fixture(scope="session")
def session(account: None) -> SharedSession:  # noqa: ARG001 - where the clients are
    """Return the tool's session."""
    return SharedSession()


@pytest.fixture
def operator(
    channel: Channel, session: SharedSession, monkeypatch: pytest.MonkeyPatch
) -> OperatorChannel:
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
    session.deployments.clear()
    # On a busy machine the fake may take longer than the function's two seconds.
    changed = {"TWILIO_TIMEOUT_SECONDS": "20", "HANDOFF_QUEUE_URL": urls[-1]}
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    deployed |= changed
    session.deployments.add(deployed, dict(zip(outputs, urls, strict=False)))
    monkeypatch.setattr(endpoints, "new_session", lambda: session)
    found, is_processing = OperatorChannel(channel, session.deployments, *urls), Lock()

    def process(_: float) -> None:
        with is_processing, redirect_stdout(sys.stderr):  # the function prints its metrics
            found.process_queue()

    monkeypatch.setattr(runner, "sleep", process)
    return found
