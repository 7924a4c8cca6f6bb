"""An AWS account in memory, furnished as a channel needs it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.loaders import Loader, create_loader
from botocore.session import Session
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend
from moto.sqs.models import Message, Queue, sqs_backends

from conformance.boundaries import Boundaries
from local.stand_ins.aws import (
    ACCOUNT,
    CREDENTIALS,
    DEAD_LETTERS,
    QUEUE,
    REGION,
    TABLE,
    WITHOUT_TLS,
    make_queues,
    make_table,
)
from local.stand_ins.virtual import VirtualClock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_deserialize = TypeDeserializer().deserialize


class _Clients:
    """What the account is furnished and looked at with; to make them takes longer than most calls.

    Args:
        session: Whose calls nobody watches.
    """

    def __init__(self, session: boto3.Session) -> None:
        self.dynamodb: DynamoDBClient = session.client("dynamodb")
        self.secrets: SecretsManagerClient = session.client("secretsmanager")
        self.sqs: SQSClient = session.client("sqs")


@dataclass(frozen=True)
class Account:
    """A table and a queue with its dead-letter queue, and the secrets that were put there.

    Attributes:
        clock: What the queue goes by.
        boundaries: Sees the calls of the handler, and of nobody else.
        max_receive_count: How often the queue delivers a message.
    """

    clock: VirtualClock
    boundaries: Boundaries
    max_receive_count: int
    _clients: _Clients

    def furnish(self, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Make it anew, empty but for the secrets."""
        moto_api_backend.reset()
        make_table(self._clients.dynamodb)
        make_queues(self._clients.sqs, self.max_receive_count)
        for name, value in secrets.items():
            self._clients.secrets.create_secret(Name=name, SecretString=json.dumps(value))

    def variables(self) -> dict[str, str]:
        """Where the function finds queue and table."""
        url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QUEUE}"
        return {"QUEUE_URL": url, "CONVERSATIONS_TABLE": TABLE}

    def send(self, body: str) -> None:
        """Put a message on the queue."""
        self._backend.send_message(QUEUE, body)

    def receive(self) -> "MessageTypeDef | None":
        """Receive the message, as soon as it is visible; None once the queue is empty."""
        messages = _messages_of(self._backend.get_queue(QUEUE))
        if not messages:
            return None
        wait = min(message.visible_at for message in messages) / 1000 - self.clock()
        self.clock.advance(max(0.0, wait) + 0.002)
        received: Any = self._clients.sqs.receive_message(
            QueueUrl=self.variables()["QUEUE_URL"], AttributeNames=["ApproximateReceiveCount"]
        )
        found: list[MessageTypeDef] = received.get("Messages", [])
        return found[0] if found else None

    def delete(self, receipt_handle: str) -> None:
        """Delete a message, as the service does with those that were not reported."""
        self._backend.get_queue(QUEUE).delete_message(receipt_handle)

    def dead_letters(self) -> list[str]:
        """The bodies of the dead letters."""
        letters = _messages_of(self._backend.get_queue(DEAD_LETTERS))
        return [letter.body for letter in letters]

    def records(self) -> list[dict[str, Any]]:
        """Every conversation's record."""
        items = self._clients.dynamodb.scan(TableName=TABLE)["Items"]
        return [{name: _deserialize(value) for name, value in item.items()} for item in items]

    @property
    def _backend(self) -> Any:
        return sqs_backends[ACCOUNT][REGION]


def _messages_of(queue: Queue) -> list[Message]:
    # moto has no other way to tell when a message will be visible.
    messages: list[Message] = queue._messages  # noqa: SLF001
    return messages


@cache
def _models() -> Loader:
    return create_loader()


def _session() -> boto3.Session:
    """A session that shares AWS's models with all others: reading them takes longer than a test."""
    core = Session()
    core.register_component("data_loader", _models())
    return boto3.Session(botocore_session=core, region_name=REGION)


@contextmanager
def account(clock: VirtualClock, max_receive_count: int) -> Iterator[Account]:
    """An account that the handler's clients find, while the context lasts."""
    boundaries, seen = Boundaries(), _session()
    with (
        patch.dict(os.environ, {**CREDENTIALS, **WITHOUT_TLS}),
        mock_aws(),
        patch("moto.sqs.models.unix_time", clock),
        patch("moto.sqs.models.unix_time_millis", lambda: clock() * 1000),
        patch("boto3.DEFAULT_SESSION", seen),
    ):
        boundaries.watch(seen.events)
        yield Account(clock, boundaries, max_receive_count, _Clients(_session()))
        moto_api_backend.reset()
