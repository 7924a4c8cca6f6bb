"""What stands in a channel's AWS account, and what its function is told."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import boto3
import pytest
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from local.stand_ins.aws import CREDENTIALS, WITHOUT_TLS, make_queues, make_table
from local.stand_ins.openai import OpenAIStandIn
from local.stand_ins.twilio import TwilioStandIn
from tests.services.channel import (
    ACCOUNT,
    API_KEY,
    MODEL,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
)
from tests.services.moto_transactions import whole_transactions

MAX_RECEIVE_COUNT = 10


@dataclass(frozen=True)
class Clients:
    """What tests look at an account with, beside the runtime's own clients."""

    sqs: SQSClient
    dynamodb: DynamoDBClient
    secretsmanager: SecretsManagerClient


def clients() -> Clients:
    """Return those of the account, or of the server, that the environment leads to."""
    return _clients_of(os.environ.get("AWS_ENDPOINT_URL"))


@cache
def _clients_of(_endpoint: str | None) -> Clients:
    # Once for all tests: to make a client takes longer than most calls.
    return Clients(
        sqs=boto3.client("sqs"),
        dynamodb=boto3.client("dynamodb"),
        secretsmanager=boto3.client("secretsmanager"),
    )


@contextmanager
def made_up_account() -> Iterator[None]:
    """An AWS account in memory, without credentials, while the context lasts."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), whole_transactions():
        moto_api_backend.reset()  # within another account, this one would begin with its content
        for name, value in (CREDENTIALS | WITHOUT_TLS).items():
            patch.setenv(name, value)
        yield


def openai_stand_in() -> OpenAIStandIn:
    """OpenAI on loopback, not yet started."""
    return OpenAIStandIn(keys={API_KEY}, models={MODEL})


def twilio_stand_in() -> TwilioStandIn:
    """Twilio on loopback, not yet started."""
    templates = {TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."}
    return TwilioStandIn(accounts={ACCOUNT: TOKEN}, templates=templates)


def create_table() -> str:
    """Create an empty conversations table; return its name."""
    return make_table(clients().dynamodb)


def create_queue() -> str:
    """Create an empty queue with a dead-letter queue; return its URL."""
    return make_queues(clients().sqs, MAX_RECEIVE_COUNT)


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


def variables(
    queue_url: str, table: str, openai: OpenAIStandIn, twilio: TwilioStandIn
) -> dict[str, str]:
    """The environment variables of the channel's function."""
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
