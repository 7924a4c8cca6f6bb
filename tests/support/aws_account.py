"""The tests' AWS account: moto in memory, its resources, and the function's environment."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import boto3
import pytest
from botocore.loaders import Loader, create_loader
from botocore.session import Session, get_session
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from local.fakes.aws import (
    CREDENTIALS,
    NO_CA_CERTIFICATES,
    create_conversations_table,
    create_queues,
)
from local.fakes.openai import FakeOpenAI
from local.fakes.twilio import FakeTwilio
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    MODEL,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
)
from tests.support.moto_transactions import atomic_transactions

MAX_RECEIVE_COUNT = 10


@dataclass(frozen=True)
class Clients:
    """The tests' clients, besides the runtime's own."""

    sqs: SQSClient
    dynamodb: DynamoDBClient
    secretsmanager: SecretsManagerClient


def clients() -> Clients:
    """Return the clients of the account or server that the environment selects."""
    return _clients_of(os.environ.get("AWS_ENDPOINT_URL"))


@cache
def _clients_of(_endpoint: str | None) -> Clients:
    # Made once for all tests, since that takes longer than most calls.
    return Clients(
        sqs=boto3.client("sqs"),
        dynamodb=boto3.client("dynamodb"),
        secretsmanager=boto3.client("secretsmanager"),
    )


@contextmanager
def mocked_account() -> Iterator[None]:
    """Run an AWS account in memory, without credentials, inside the context."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), atomic_transactions():
        moto_api_backend.reset()  # a nested account would start with the outer one's content
        for name, value in (CREDENTIALS | NO_CA_CERTIFICATES).items():
            patch.setenv(name, value)
        patch.setattr("lambda_src.bootstrap.get_session", session_with_shared_models)
        yield


@cache
def _models() -> Loader:
    return create_loader()


def session_with_shared_models() -> Session:
    """Return a new session that reads AWS's service models once per process."""
    session = get_session()
    session.register_component("data_loader", _models())
    return session


def fake_openai() -> FakeOpenAI:
    """Return OpenAI on loopback, not started."""
    return FakeOpenAI(keys={API_KEY}, models={MODEL})


def fake_twilio(clock: Callable[[], float] = time.time) -> FakeTwilio:
    """Return Twilio on loopback, not started."""
    templates = {TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."}
    return FakeTwilio(accounts={ACCOUNT: TOKEN}, templates=templates, clock=clock)


def create_table() -> str:
    """Create an empty conversations table, and return its name."""
    return create_conversations_table(clients().dynamodb)


def create_queue() -> str:
    """Create an empty queue with a dead-letter queue, and return its URL."""
    return create_queues(clients().sqs, MAX_RECEIVE_COUNT)


def create_secrets() -> None:
    """Create the channel's secrets, in their documented form."""
    client = clients().secretsmanager
    client.create_secret(Name=OPENAI_SECRET, SecretString=json.dumps({"ai_api_key": API_KEY}))
    credentials = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "twilio_template_sid": TEMPLATE,
    }
    client.create_secret(Name=TWILIO_SECRET, SecretString=json.dumps(credentials))


def variables(queue_url: str, table: str, openai: FakeOpenAI, twilio: FakeTwilio) -> dict[str, str]:
    """Return the environment variables of the channel's function."""
    return {
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
