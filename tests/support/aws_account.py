"""The tests' AWS account: moto in memory, its resources, and the function's environment."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from threading import RLock
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore import handlers
from botocore.httpsession import create_urllib3_context
from botocore.session import Session, get_session
from moto import mock_aws
from moto.backends import list_of_moto_modules
from moto.core.responses import BaseResponse
from moto.core.serialize import AttributePicker, AttributePickerContext
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.parsing.tokens import ExpressionTokenizer
from moto.moto_api._internal.models import moto_api_backend
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from local.fakes.aws import (
    CREDENTIALS,
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
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
)

MAX_RECEIVE_COUNT = 10


@dataclass(frozen=True)
class Clients:
    """The tests' clients, besides the runtime's own."""

    sqs: SQSClient
    dynamodb: DynamoDBClient
    secretsmanager: SecretsManagerClient


def clients() -> Clients:
    """Return the clients of the account or server that the environment selects."""
    return Clients(
        sqs=boto3.client("sqs"),
        dynamodb=boto3.client("dynamodb"),
        secretsmanager=boto3.client("secretsmanager"),
    )


@contextmanager
def mocked_account() -> Iterator[None]:
    """Run an AWS account in memory, without credentials, inside the context."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws(), serialized_calls():
        moto_api_backend.reset()  # a nested account would start with the outer one's content
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        # No test uses TLS, and reading the machine's CA certificates takes longer than a message.
        monkeypatch.setattr("httpcore2.default_ssl_context", without_certificates)
        monkeypatch.setattr(
            "botocore.httpsession.create_urllib3_context", cache(create_urllib3_context)
        )
        for module in ("requests.sessions", "botocore.endpoint"):  # every server is on loopback
            monkeypatch.setattr(f"{module}.get_environ_proxies", lambda *_, **__: {})
        for module in ("bootstrap", "receiver"):
            monkeypatch.setattr(f"lambda_src.{module}.get_session", _one_session)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", _SessionWithSharedClients())
        yield


def without_certificates(**_: object) -> SSLContext:
    """Return a context for TLS that trusts nobody."""
    return SSLContext(PROTOCOL_TLS_CLIENT)


SERVICES = frozenset({"*", "dynamodb", "sqs", "secretsmanager", "secrets-manager"})
"""The services of the runtime's clients, as botocore's events name them."""


@cache
def _one_session() -> Session:
    """Return a session with botocore's handlers for `SERVICES`; each client copies all of them."""
    used = [
        spec
        for spec in handlers.BUILTIN_HANDLERS
        if "." not in spec[0] or spec[0].split(".")[1] in SERVICES
    ]
    with patch.object(handlers, "BUILTIN_HANDLERS", used):
        return get_session()


class _SessionWithSharedClients(boto3.Session):
    """Makes each client once for an account or server: that takes longer than most calls."""

    def client(self, *arguments: Any, **options: Any) -> Any:
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return _shared_client(self, endpoint, *arguments, **options)


@cache
def _shared_client(
    session: boto3.Session, _endpoint: str | None, *arguments: Any, **options: Any
) -> Any:
    return boto3.Session.client(session, *arguments, **options)


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
    for name, value in (
        (OPENAI_SECRET, {"ai_api_key": API_KEY}),
        (TWILIO_SECRET, TWILIO_CREDENTIALS | {"twilio_template_sid": TEMPLATE}),
    ):
        clients().secretsmanager.create_secret(Name=name, SecretString=json.dumps(value))


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


_spell = cache(camelcase_to_underscores)
_one_at_a_time = RLock()
_dispatch = BaseResponse._dispatch  # the one method that every call passes


@contextmanager
def serialized_calls() -> Iterator[None]:
    """Let moto apply one call at a time, and transactions whole or not at all.

    moto reads and changes its tables, queues and secrets without locks: a scan during a write in
    another thread ends with "dictionary changed size during iteration". It undoes a cancelled
    transaction by restoring a copy of the whole table, which takes time with every transaction.
    With every call it spells names in another way, lists the names of a class and of its modules,
    and takes the same expressions apart; with every attribute it measures the whole item.
    """
    with (
        patch("moto.core.responses.camelcase_to_underscores", _spell),
        patch("moto.sqs.models.camelcase_to_underscores", _spell),
        patch("moto.backends.list_of_moto_modules", cache(lambda: [*list_of_moto_modules()])),
        patch("moto.core.responses.method_names_from_class", cache(method_names_from_class)),
        patch.object(BaseResponse, "_dispatch", _dispatch_alone),
        patch.object(AttributePicker, "__call__", _pick),
        patch.object(ExpressionTokenizer, "make_list", _tokens),
        patch.object(LimitedSizeDict, "__setitem__", _set_attribute),
        patch.object(DynamoDBBackend, "transact_write_items", _transact_write_items),
    ):
        yield


def _dispatch_alone(response: BaseResponse, *arguments: Any, **options: Any) -> Any:
    with _one_at_a_time:
        return _dispatch(response, *arguments, **options)


_pick_by_aliases = AttributePicker.__call__
ATTRIBUTE_TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})


def _pick(picker: AttributePicker, context: AttributePickerContext) -> Any:
    """Return a member of an answer; for DynamoDB's typed values without search for aliases.

    Each of the ten types is a member, and moto tries ten spellings of each that a value lacks.
    """
    value = context.obj
    if type(value) is dict and len(value) == 1 and value.keys() <= ATTRIBUTE_TYPES:
        return value.get(context.key)
    return _pick_by_aliases(picker, context)


_tokens = cache(ExpressionTokenizer.make_list)
_set_and_measure = LimitedSizeDict.__setitem__
MAX_UNMEASURED_CHARACTERS = 100_000
"""Fit into an item with four bytes each. What an update adds inside a value is not counted."""


def _set_attribute(attributes: LimitedSizeDict, name: str, value: Any) -> None:
    """Set an attribute, and measure the whole item only if it may be large."""
    state = attributes.__dict__
    state["added"] = state.get("added", 0) + len(name) + len(repr(value))
    if state["added"] > MAX_UNMEASURED_CHARACTERS:
        _set_and_measure(attributes, name, value)
    else:
        dict.__setitem__(attributes, name, value)


def _transact_write_items(backend: DynamoDBBackend, transact_items: Sequence[Any]) -> None:
    parts = [(kind, part) for item in transact_items for kind, part in item.items()]
    reasons = [_reason(backend, part) for _, part in parts]
    if any(code for code, _, _ in reasons):
        raise TransactionCanceledException(reasons)
    for kind, part in parts:
        _apply(backend, kind, part)


def _reason(backend: DynamoDBBackend, part: dict[str, Any]) -> tuple[str | None, str | None, Any]:
    found = backend.get_item(part["TableName"], _key(backend, part))
    condition = get_filter_expression(
        part.get("ConditionExpression"),
        part.get("ExpressionAttributeNames"),
        part.get("ExpressionAttributeValues"),
    )
    if condition.expr(found):
        return None, None, None
    is_returned = part.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    item = found.to_json()["Attributes"] if found and is_returned else None
    return "ConditionalCheckFailed", "The conditional request failed", item


def _key(backend: DynamoDBBackend, part: dict[str, Any]) -> dict[str, Any]:
    names = backend.get_table(part["TableName"]).table_key_attrs
    return {name: (part.get("Key") or part["Item"])[name] for name in names}


def _apply(backend: DynamoDBBackend, kind: str, part: dict[str, Any]) -> None:
    if kind == "Put":
        backend.put_item(part["TableName"], part["Item"])
    elif kind == "Delete":
        backend.delete_item(part["TableName"], part["Key"])
    elif kind == "Update":
        backend.update_item(
            part["TableName"],
            part["Key"],
            update_expression=part["UpdateExpression"],
            expression_attribute_names=part.get("ExpressionAttributeNames", {}),
            expression_attribute_values=part.get("ExpressionAttributeValues", {}),
        )
