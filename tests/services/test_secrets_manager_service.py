"""The channel's secrets on Secrets Manager: cached, fresh on demand, asked for once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from botocore.exceptions import ClientError, ReadTimeoutError

from lambda_src.core.errors import PermanentFailure, TransientFailure
from lambda_src.services.secret_forms import TwilioCredentials
from lambda_src.services.secrets_manager_service import ChannelSecrets
from tests.services.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
)

pytestmark = pytest.mark.usefixtures("secrets")


@pytest.fixture
def client(aws: None) -> Any:  # noqa: ARG001 - a boto3 client, of that account
    """A Secrets Manager client of the test's own."""
    return boto3.client("secretsmanager")


@pytest.fixture
def channel_secrets(client: Any) -> ChannelSecrets:
    """The adapter with an empty cache."""
    return ChannelSecrets(client, PREFIXES)


@pytest.fixture
def reads(client: Any) -> Callable[[], int]:
    """Gives how often Secrets Manager was asked for a value."""
    calls: list[object] = []
    client.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: calls.append(None)
    )
    return lambda: len(calls)


def test_reads_both_kinds(channel_secrets: ChannelSecrets) -> None:
    """The documented forms become a key, and credentials with a template."""
    credentials = channel_secrets.credentials(TWILIO_SECRET)

    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET)
    assert TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE) == credentials


def test_reads_by_arn(channel_secrets: ChannelSecrets, client: Any) -> None:
    """A reference may be the secret's ARN."""
    arn = client.describe_secret(SecretId=OPENAI_SECRET)["ARN"]

    assert API_KEY == channel_secrets.openai_key(arn)


def test_asks_once_while_the_value_is_kept(
    channel_secrets: ChannelSecrets, reads: Callable[[], int]
) -> None:
    """A secret used again within its expiry is not read again, even by a batch at once."""
    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(lambda _: channel_secrets.openai_key(OPENAI_SECRET), range(10)))

    assert {API_KEY} == keys
    assert 1 == reads()


def test_fresh_passes_the_cache_by(channel_secrets: ChannelSecrets, client: Any) -> None:
    """A fresh read gives the new value, which is then the one that is kept."""
    channel_secrets.openai_key(OPENAI_SECRET)
    client.put_secret_value(SecretId=OPENAI_SECRET, SecretString='{"ai_api_key": "rotated"}')

    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET, fresh=True)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET)


def test_value_expires(
    channel_secrets: ChannelSecrets,
    reads: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After its expiry a secret is read anew."""
    channel_secrets.openai_key(OPENAI_SECRET)
    monkeypatch.setattr(SecretsProvider, "has_not_expired_in_cache", lambda *_: False)
    channel_secrets.openai_key(OPENAI_SECRET)

    assert 2 == reads()


def test_reference_of_another_channel_is_refused_unasked(
    channel_secrets: ChannelSecrets, reads: Callable[[], int]
) -> None:
    """A reference outside the prefixes is refused before Secrets Manager is asked."""
    with pytest.raises(PermanentFailure, match="secret_reference_refused"):
        channel_secrets.openai_key("ai-multi-comms/dev/openai-api-key/sms")

    assert 0 == reads()


def test_missing_secret_fails_for_good(channel_secrets: ChannelSecrets) -> None:
    """A secret that does not exist is a permanent failure."""
    with pytest.raises(PermanentFailure, match="secret_missing"):
        channel_secrets.credentials(f"{PREFIXES[1]}nobody")


def test_binary_secret_is_malformed(channel_secrets: ChannelSecrets, client: Any) -> None:
    """A secret without a text is not in its documented form."""
    name = f"{PREFIXES[1]}binary"
    client.create_secret(Name=name, SecretBinary=b"\x00")

    with pytest.raises(PermanentFailure, match="secret_malformed"):
        channel_secrets.credentials(name)


def test_service_that_hangs_is_waited_for_once(
    channel_secrets: ChannelSecrets, client: Any
) -> None:
    """A batch does not wait ten times in turn: all learn from the one try."""
    calls: list[object] = []
    everybody = Barrier(10)

    def hang(**_: object) -> None:
        calls.append(None)
        time.sleep(0.3)
        raise ReadTimeoutError(endpoint_url="https://secrets.example")

    def read(_: int) -> str:
        everybody.wait(5)
        with pytest.raises(TransientFailure) as raised:
            channel_secrets.openai_key(OPENAI_SECRET)
        return str(raised.value)

    client.meta.events.register("before-call.secrets-manager.*", hang)
    with ThreadPoolExecutor(10) as pool:
        errors = set(pool.map(read, range(10)))

    assert {"secrets_unavailable at secrets: ReadTimeoutError"} == errors
    assert 1 == len(calls)


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_service_that_does_not_answer_is_transient(
    channel_secrets: ChannelSecrets,
    client: Any,
    code: str,
) -> None:
    """An error of Secrets Manager itself may pass, and is named by its code."""

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")

    client.meta.events.register("before-call.secrets-manager.*", fail)

    with pytest.raises(TransientFailure, match=code):
        channel_secrets.openai_key(OPENAI_SECRET)
