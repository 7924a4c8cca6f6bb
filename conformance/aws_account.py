"""An AWS account in memory with a channel's resources, whose calls can be made to fail."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.loaders import Loader, create_loader
from botocore.session import Session
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.sqs.models import Message, sqs_backends

from local.fakes import aws
from local.fakes.clock import VirtualClock

QUEUE_URL = f"https://sqs.{aws.REGION}.amazonaws.com/{aws.ACCOUNT}/{aws.QUEUE}"
VISIBILITY_TIMEOUT = 1080
LEDGER_SERVICES = ("dynamodb", "secrets-manager", "sqs")
"""As in botocore's events."""
_ENDPOINT = "http://127.0.0.1"  # only for the errors' texts


class FaultPoint(Enum):
    """When a call fails."""

    BEFORE_EFFECT = "before its effect"
    AFTER_EFFECT = "after its effect, with a lost response"


@dataclass
class AwsCalls:
    """Records the ledger's calls and lets one of them fail; a vendor's calls are not counted.

    Attributes:
        names: The calls so far, in order, such as `UpdateItem#2`.
        fault: The call that fails, and when.
    """

    names: list[str] = field(default_factory=list)
    fault: tuple[str, FaultPoint] | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def observe(self, session: Any) -> None:
        """Record the ledger's calls by all clients that are created from this session."""
        for service in LEDGER_SERVICES:
            session.register(f"before-call.{service}", self._before)
            session.register(f"after-call.{service}", self._after)

    def reset(self, fault: tuple[str, FaultPoint] | None) -> None:
        """Clear the record, and let this call fail."""
        self.names, self.fault = [], fault
        self._counts.clear()

    def _before(self, model: Any, context: dict[str, Any], **_: object) -> None:
        with self._lock:
            self._counts[model.name] += 1
            name = f"{model.name}#{self._counts[model.name]}"
            self.names.append(name)
        context["call_name"] = name
        if self.fault == (name, FaultPoint.BEFORE_EFFECT):
            raise ConnectTimeoutError(endpoint_url=_ENDPOINT)

    def _after(self, context: dict[str, Any], **_: object) -> None:
        if self.fault == (context.get("call_name"), FaultPoint.AFTER_EFFECT):
            raise ReadTimeoutError(endpoint_url=_ENDPOINT)


@dataclass(frozen=True)
class Account:
    """A table, a queue with its dead-letter queue, and secrets.

    Attributes:
        clock: The queue's clock.
        calls: The handler's calls.
    """

    clock: VirtualClock
    calls: AwsCalls

    def reset(self, fault: tuple[str, FaultPoint] | None) -> None:
        """Empty the table and the queues, and let this call fail."""
        self._messages(aws.QUEUE).clear()
        self._messages(aws.DEAD_LETTERS).clear()
        self._table.items.clear()
        self.calls.reset(fault)

    def send(self, body: str) -> None:
        """Send a message to the queue."""
        self._sqs.send_message(aws.QUEUE, body)

    def receive(self) -> Message | None:
        """Advance the clock until a message is visible, and receive it; None if there is none."""
        messages = self._messages(aws.QUEUE)
        if not messages:
            return None
        wait = min(message.visible_at for message in messages) / 1000 - self.clock()
        self.clock.advance(max(0.0, wait) + 0.002)
        received = self._sqs.receive_message(aws.QUEUE, 1, 0, VISIBILITY_TIMEOUT)
        return received[0] if received else None

    def delete(self, message: Message) -> None:
        """Delete a message, as Lambda does with those that are not reported as failures."""
        self._sqs.get_queue(aws.QUEUE).delete_message(message.receipt_handle)

    def dead_letters(self) -> list[str]:
        """Return the bodies of the dead-letter messages."""
        return [message.body for message in self._messages(aws.DEAD_LETTERS)]

    def records(self) -> list[dict[str, Any]]:
        """Return every conversation's record."""
        return [item.to_regular_json() for item in self._table.all_items()]

    # moto's own objects: through a client, each call takes much longer.

    @property
    def _sqs(self) -> Any:
        return sqs_backends[aws.ACCOUNT][aws.REGION]

    @property
    def _table(self) -> Any:
        return dynamodb_backends[aws.ACCOUNT][aws.REGION].tables[aws.TABLE]

    def _messages(self, queue: str) -> list[Message]:
        # moto has no public way to list messages with the time at which they become visible.
        messages: list[Message] = self._sqs.get_queue(queue)._messages  # noqa: SLF001
        return messages


@cache
def _models() -> Loader:
    return create_loader()


@cache
def _client(service: str) -> Any:
    """Return a client that creates resources; it serves all accounts."""
    return _session().create_client(service)


def _session() -> Any:  # botocore's stubs do not distinguish the services' clients
    # All sessions share AWS's models: reading them takes longer than a test.
    session = Session()
    session.register_component("data_loader", _models())
    return session


@contextmanager
def aws_account(
    clock: VirtualClock, max_receive_count: int, secrets: Mapping[str, Mapping[str, str]]
) -> Iterator[Account]:
    """Provide an account that the handler's clients use within the context.

    Args:
        clock: The queue's clock.
        max_receive_count: Number of deliveries of a message.
        secrets: Content of each secret by its name.
    """
    calls, observed = AwsCalls(), _session()
    with (
        patch.dict(os.environ, {**aws.CREDENTIALS, **aws.NO_CA_CERTIFICATES}),
        mock_aws(),
        patch("moto.sqs.models.unix_time", clock),
        patch("moto.sqs.models.unix_time_millis", lambda: clock() * 1000),
        patch("lambda_src.bootstrap.get_session", lambda: observed),
    ):
        aws.create_conversations_table(_client("dynamodb"))
        aws.create_queues(_client("sqs"), max_receive_count)
        for name, value in secrets.items():
            _client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))
        calls.observe(observed)
        yield Account(clock, calls)
        moto_api_backend.reset()
