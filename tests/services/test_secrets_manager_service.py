"""The channel's secrets on Secrets Manager: cached, read fresh on demand, and requested once."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambda_src.core.errors import ConfigurationRefused, PermanentFailure, TransientFailure
from lambda_src.services.secret_schemas import TwilioCredentials
from lambda_src.services.secrets_manager_service import MAX_AGE_SECONDS, ChannelSecrets
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
)
from tests.support.clock import FakeClock

pytestmark = pytest.mark.usefixtures("secrets")


@pytest.fixture
def client(aws: None) -> Any:  # noqa: ARG001 - a boto3 client, of that account
    """A Secrets Manager client of the test's own."""
    return boto3.client("secretsmanager")


@pytest.fixture
def secret_clock() -> FakeClock:
    """The clock of the adapter's cache."""
    return FakeClock()


@pytest.fixture
def channel_secrets(client: Any, secret_clock: FakeClock) -> ChannelSecrets:
    """The adapter with an empty cache."""
    return ChannelSecrets(client, PREFIXES, clock=secret_clock)


@pytest.fixture
def requests(client: Any) -> list[object]:
    """The requests for a value."""
    made: list[object] = []
    client.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: made.append(None)
    )
    return made


def fail_requests(client: Any, error: Exception, delay: float = 0) -> None:
    """Let every request fail."""

    def fail(**_: object) -> None:
        time.sleep(delay)
        raise error

    client.meta.events.register_last("before-call.secrets-manager.GetSecretValue", fail)


def test_both_kinds_of_secret_are_read(channel_secrets: ChannelSecrets, client: Any) -> None:
    """By name or ARN, as a key and as credentials with a template."""
    arn = client.describe_secret(SecretId=OPENAI_SECRET)["ARN"]
    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET) == channel_secrets.openai_key(arn)
    expected = TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE)
    assert expected == channel_secrets.credentials(TWILIO_SECRET)


def test_a_cached_secret_is_not_requested(
    channel_secrets: ChannelSecrets, requests: list[object], secret_clock: FakeClock
) -> None:
    """One request serves a whole batch, until the value is too old."""
    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(lambda _: channel_secrets.openai_key(OPENAI_SECRET), range(10)))
    assert ({API_KEY}, 1) == (keys, len(requests))
    secret_clock.advance(MAX_AGE_SECONDS - 1)
    channel_secrets.openai_key(OPENAI_SECRET)
    assert 1 == len(requests)
    secret_clock.advance(1)
    channel_secrets.openai_key(OPENAI_SECRET)
    assert 2 == len(requests)


def test_a_fresh_read_bypasses_the_cache(channel_secrets: ChannelSecrets, client: Any) -> None:
    """Its value is cached instead."""
    channel_secrets.openai_key(OPENAI_SECRET)
    client.put_secret_value(SecretId=OPENAI_SECRET, SecretString='{"ai_api_key": "rotated"}')
    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET, fresh=True)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET)


def test_another_channels_secret_is_not_requested(
    channel_secrets: ChannelSecrets, requests: list[object]
) -> None:
    """A reference outside the prefixes is refused before."""
    with pytest.raises(PermanentFailure, match="secret_reference_refused"):
        channel_secrets.openai_key("ai-multi-comms/dev/openai-api-key/sms")
    assert [] == requests


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "secret_missing"),
        ({"SecretBinary": b"\x00"}, "secret_malformed"),
        ({"SecretString": "plain text"}, "secret_malformed"),
    ],
)
def test_an_unusable_secret_is_a_refused_configuration(
    channel_secrets: ChannelSecrets, client: Any, content: dict[str, Any] | None, code: str
) -> None:
    """Missing, binary, or not JSON; its value is not quoted."""
    name = f"{PREFIXES[1]}another"
    if content:
        client.create_secret(Name=name, **content)
    with pytest.raises(ConfigurationRefused, match=code) as raised:
        channel_secrets.credentials(name)
    assert "plain" not in str(raised.value)


def test_concurrent_reads_share_a_hanging_request(
    channel_secrets: ChannelSecrets, client: Any, requests: list[object]
) -> None:
    """A batch waits for it once, and each message gets its error."""
    barrier = Barrier(10)

    def read(_: int) -> str:
        barrier.wait(60)
        with pytest.raises(TransientFailure) as raised:
            channel_secrets.openai_key(OPENAI_SECRET)
        return str(raised.value)

    fail_requests(client, ReadTimeoutError(endpoint_url="https://secrets.example"), delay=0.5)
    with ThreadPoolExecutor(10) as pool:
        errors = set(pool.map(read, range(10)))
    assert {"secrets_unavailable at secrets: ReadTimeoutError"} == errors
    assert 1 == len(requests)


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_an_error_of_the_service_is_transient(
    channel_secrets: ChannelSecrets, client: Any, code: str
) -> None:
    """It is named by its code."""
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")
    fail_requests(client, error)
    with pytest.raises(TransientFailure, match=code):
        channel_secrets.openai_key(OPENAI_SECRET)
