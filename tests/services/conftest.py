"""What the adapters' and the handler's tests share: moto, the stand-ins, a channel."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend

from lambda_src import index
from local.stand_ins.openai import OpenAISettings, OpenAIStandIn
from local.stand_ins.twilio import TwilioSettings, TwilioStandIn
from tests.services.channel import (
    ACCOUNT,
    API_KEY,
    MODEL,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    Channel,
)
from tests.services.output import Output

TABLE = "conversations-test"
KEYS = ("primary_channel", "conversation_id")
MAX_RECEIVE_COUNT = 10


@pytest.fixture(scope="session")
def openai_server() -> Iterator[OpenAIStandIn]:
    """OpenAI on loopback, for the whole session."""
    with OpenAIStandIn(keys={API_KEY}, models={MODEL}) as server:
        yield server


@pytest.fixture(scope="session")
def twilio_server() -> Iterator[TwilioStandIn]:
    """Twilio on loopback, for the whole session."""
    templates = {TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."}
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, templates=templates) as server:
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
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
    }
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def aws(account: None) -> None:  # noqa: ARG001 - the account that is emptied
    """The account, empty."""
    moto_api_backend.reset()


@pytest.fixture
def table(aws: None) -> str:  # noqa: ARG001 - the account it stands in
    """The name of an empty conversations table."""
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": KEYS[0], "KeyType": "HASH"},
            {"AttributeName": KEYS[1], "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
    )
    return TABLE


@pytest.fixture
def queue_url(aws: None) -> str:  # noqa: ARG001 - the account it stands in
    """The URL of an empty queue with a dead-letter queue."""
    sqs = boto3.client("sqs")
    dead_letters = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_RECEIVE_COUNT,
    }
    return sqs.create_queue(
        QueueName="queue",
        Attributes={"VisibilityTimeout": "1080", "RedrivePolicy": json.dumps(policy)},
    )["QueueUrl"]


@pytest.fixture
def secrets(aws: None) -> None:  # noqa: ARG001 - the account they stand in
    """The channel's secrets, in their documented form."""
    client = boto3.client("secretsmanager")
    client.create_secret(Name=OPENAI_SECRET, SecretString=json.dumps({"ai_api_key": API_KEY}))
    credentials = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "twilio_template_sid": TEMPLATE,
    }
    client.create_secret(Name=TWILIO_SECRET, SecretString=json.dumps(credentials))


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
    environment = {
        "CHANNEL": "whatsapp",
        "QUEUE_URL": queue_url,
        "CONVERSATIONS_TABLE": table,
        "SECRET_PREFIXES": ",".join(PREFIXES),
        "SETTLE_DELAYS_SECONDS": "15,60",
        "TWILIO_TIMEOUT_SECONDS": "2",
        "OPENAI_TIMEOUT_SECONDS": "60",
        "ASSISTANTS_BASE_URL": openai.base_url,
        "OPENAI_BASE_URL": openai.base_url,
        "TWILIO_BASE_URL": twilio.base_url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    index.batch_handler.cache_clear()

    output = Output(capsys)
    yield Channel(
        sqs=boto3.client("sqs"),
        dynamodb=boto3.client("dynamodb"),
        secretsmanager=boto3.client("secretsmanager"),
        queue_url=queue_url,
        table=table,
        openai=openai,
        twilio=twilio,
        read_log=output.log,
        read_metrics=output.metrics,
    )
    index.batch_handler.cache_clear()
