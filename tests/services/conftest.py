"""What the adapters' and the handler's tests share: moto, the stand-ins, a channel."""

from collections.abc import Iterator

import pytest
from moto.moto_api._internal.models import moto_api_backend

from lambda_src import index
from local.stand_ins.openai import OpenAISettings, OpenAIStandIn
from local.stand_ins.twilio import TwilioSettings, TwilioStandIn
from local.stand_ins.virtual import VirtualClock
from tests.services.account import (
    clients,
    create_queue,
    create_secrets,
    create_table,
    made_up_account,
    openai_stand_in,
    twilio_stand_in,
    variables,
)
from tests.services.channel import Channel
from tests.services.output import Output


@pytest.fixture(scope="session")
def openai_server() -> Iterator[OpenAIStandIn]:
    """OpenAI on loopback, for the whole session."""
    with openai_stand_in() as server:
        yield server


@pytest.fixture(scope="session")
def twilio_server() -> Iterator[TwilioStandIn]:
    """Twilio on loopback, for the whole session."""
    with twilio_stand_in() as server:
        yield server


@pytest.fixture
def openai(openai_server: OpenAIStandIn) -> OpenAIStandIn:
    """OpenAI on loopback, as good as new."""
    openai_server.reset()
    openai_server.settings = OpenAISettings()
    return openai_server


@pytest.fixture
def twilio(twilio_server: TwilioStandIn) -> TwilioStandIn:
    """Twilio on loopback, as good as new."""
    twilio_server.reset()
    twilio_server.settings = TwilioSettings()
    return twilio_server


@pytest.fixture(scope="session")
def account() -> Iterator[None]:
    """An AWS account without credentials, for the whole session: clients are costly to make."""
    with made_up_account():
        yield


@pytest.fixture
def aws(account: None) -> None:  # noqa: ARG001 - the account that is emptied
    """The account, empty."""
    moto_api_backend.reset()


@pytest.fixture
def table(aws: None) -> str:  # noqa: ARG001 - the account it stands in
    """The name of an empty conversations table."""
    return create_table()


@pytest.fixture
def queue_url(aws: None) -> str:  # noqa: ARG001 - the account it stands in
    """The URL of an empty queue with a dead-letter queue."""
    return create_queue()


@pytest.fixture
def secrets(aws: None) -> None:  # noqa: ARG001 - the account they stand in
    """The channel's secrets, in their documented form."""
    create_secrets()


@pytest.fixture
def channel(  # noqa: PLR0917 - fixtures are positional
    queue_url: str,
    table: str,
    secrets: None,  # noqa: ARG001 - what the channel reads
    openai: OpenAIStandIn,
    twilio: TwilioStandIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Channel]:
    """A channel whose handler starts cold."""
    for name, value in variables(queue_url, table, openai, twilio).items():
        monkeypatch.setenv(name, value)
    index.batch_handler.cache_clear()

    output = Output(lambda: capsys.readouterr().out)
    yield Channel(
        sqs=clients().sqs,
        dynamodb=clients().dynamodb,
        secretsmanager=clients().secretsmanager,
        queue_url=queue_url,
        table=table,
        openai=openai,
        twilio=twilio,
        read_log=output.log,
        read_metrics=output.metrics,
    )
    index.batch_handler.cache_clear()


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()
