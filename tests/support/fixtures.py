"""Pytest fixtures: the AWS account, the fake vendors, and a channel on them.

Servers and account live for the session and are emptied for each test. A conftest imports the
fixtures that it needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from moto.moto_api._internal.models import moto_api_backend

from lambda_src import events, index, receiver, scheduler
from local.fakes.clock import VirtualClock
from local.fakes.openai import FakeOpenAI, OpenAISettings
from local.fakes.twilio import FakeTwilio, TwilioSettings
from tests.support.aws_account import (
    clients,
    create_queue,
    create_secrets,
    create_table,
    fake_openai,
    fake_twilio,
    mocked_account,
    variables,
)
from tests.support.callbacks import BASE_URL, Callbacks
from tests.support.channel import Channel
from tests.support.logs import Output, restore_loggers

__all__ = [
    "account", "aws", "callbacks", "channel", "clock", "openai", "openai_server", "queue_url",
    "secrets", "table", "twilio", "twilio_server",
]  # fmt: skip


@pytest.fixture(scope="session")
def openai_server() -> Iterator[FakeOpenAI]:
    """OpenAI on loopback."""
    with fake_openai() as server:
        yield server


@pytest.fixture(scope="session")
def twilio_server() -> Iterator[FakeTwilio]:
    """Twilio on loopback."""
    with fake_twilio() as server:
        yield server


@pytest.fixture
def openai(openai_server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> FakeOpenAI:
    """OpenAI on loopback, empty; runs are polled without delay."""
    monkeypatch.setattr("lambda_src.core.ai.threads.POLL_SECONDS", 0.02)
    openai_server.reset()
    openai_server.settings = OpenAISettings()
    return openai_server


@pytest.fixture
def twilio(twilio_server: FakeTwilio) -> FakeTwilio:
    """Twilio on loopback, empty."""
    twilio_server.reset()
    twilio_server.settings = TwilioSettings()
    return twilio_server


@pytest.fixture(scope="session")
def account() -> Iterator[None]:
    """An AWS account without credentials."""
    with mocked_account():
        yield


@pytest.fixture
def aws(account: None) -> None:  # noqa: ARG001 - the account that is emptied
    """The account, empty."""
    moto_api_backend.reset()


@pytest.fixture
def table(aws: None) -> str:  # noqa: ARG001 - the table's account
    """The name of an empty conversations table."""
    return create_table()


@pytest.fixture
def queue_url(aws: None) -> str:  # noqa: ARG001 - the queue's account
    """The URL of an empty queue with a dead-letter queue."""
    return create_queue()


@pytest.fixture
def secrets(aws: None) -> None:  # noqa: ARG001 - the secrets' account
    """The channel's secrets, in their documented form."""
    create_secrets()


@contextmanager
def cold_channel(  # noqa: PLR0917 - what a channel consists of
    queue_url: str,
    table: str,
    openai: FakeOpenAI,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[], str],
) -> Iterator[Channel]:
    """Yield a channel whose handler starts cold; `read` returns its output since the last call."""
    handoff_url = clients().sqs.create_queue(QueueName="handoff")["QueueUrl"]
    names = {"HANDOFF_QUEUE_URL": handoff_url, **variables(queue_url, table, openai, twilio)}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    index.batch_handler.cache_clear()
    output = Output(read)
    with restore_loggers():  # the handler logs to a stream that is closed after the test
        yield Channel(
            **vars(clients()),
            queue_url=queue_url,
            handoff_url=handoff_url,
            table=table,
            openai=openai,
            twilio=twilio,
            read_log=output.log,
            read_metrics=output.metrics,
        )
    index.batch_handler.cache_clear()


@pytest.fixture
def channel(  # noqa: PLR0917 - fixtures are positional
    queue_url: str,
    table: str,
    secrets: None,  # noqa: ARG001 - read by the channel
    openai: FakeOpenAI,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Channel]:
    """A channel whose handler starts cold."""
    ports = (queue_url, table, openai, twilio, monkeypatch)
    with cold_channel(*ports, lambda: capsys.readouterr().out) as one:
        yield one


@pytest.fixture
def callbacks(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callbacks]:
    """The channel's receiver, events queue, events worker and job, all starting cold."""
    url = channel.sqs.create_queue(QueueName="events")["QueueUrl"]
    monkeypatch.setenv("CALLBACK_BASE_URL", BASE_URL)
    monkeypatch.setenv("EVENTS_QUEUE_URL", url)
    for part in (receiver.receiver, events.events_handler, scheduler.scheduler):
        part.cache_clear()
    yield Callbacks(channel, url)
    for part in (receiver.receiver, events.events_handler, scheduler.scheduler):
        part.cache_clear()


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time, starting with the present."""
    return VirtualClock()
