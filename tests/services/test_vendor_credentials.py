"""Forms of secrets that occur in production: API keys, restricted keys, encodings, deletion."""

import json
from collections.abc import Iterator

import pytest

from lambda_src.core.errors import ConfigurationRefused, ProcessingError
from lambda_src.services.secret_schemas import (
    TwilioCredentials,
    parse_secret,
    twilio_credentials,
)
from local.fakes.twilio import FakeTwilio
from ops.credential_checks import TwilioLookup
from ops.errors import OperatorError
from tests.support.channel import (
    ACCOUNT,
    OPENAI_SECRET,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
)

KEY_SID = "SK" + "2" * 32
KEY_SECRET = "a-made-up-key-secret"
API_KEY_FIELDS = {
    "twilio_account_sid": ACCOUNT,
    "twilio_api_key_sid": KEY_SID,
    "twilio_api_key_secret": KEY_SECRET,
    "twilio_template_sid": TEMPLATE,
}


@pytest.fixture
def with_api_key(channel: Channel) -> Iterator[Channel]:
    """A channel whose tenant has an API key, and no auth token that Twilio accepts."""
    logins = channel.twilio._logins
    logins[KEY_SID] = ACCOUNT, KEY_SECRET
    channel.set_secret(TWILIO_SECRET, json.dumps(API_KEY_FIELDS))
    yield channel
    del logins[KEY_SID]


def test_an_api_key_sends(with_api_key: Channel) -> None:
    """The message belongs to the account, whose auth token is not needed."""
    assert [] == with_api_key.deliver(context())
    assert 1 == len(with_api_key.phone())
    (sent,) = with_api_key.twilio.messages()
    assert ACCOUNT == sent["account_sid"]


def test_an_api_key_has_precedence_over_the_auth_token(with_api_key: Channel) -> None:
    """A secret may have both, while a tenant changes from one to the other."""
    both = API_KEY_FIELDS | {"twilio_auth_token": "an-old-token"}
    with_api_key.set_secret(TWILIO_SECRET, json.dumps(both))
    assert [] == with_api_key.deliver(context())


def test_a_revoked_api_key_is_a_refused_account(channel: Channel) -> None:
    """The message is retried with an alarm."""
    channel.set_secret(TWILIO_SECRET, json.dumps(API_KEY_FIELDS))
    channel.deliver(context())
    record = channel.record()
    assert ("retry", "twilio_20003") == (record["conversation_status"], record["failure"]["code"])
    assert "vendor_account_refused" in channel.events()


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        ("twilio_api_key_sid", "twilio_api_key_sid to be SK and 32 hexadecimal digits"),
        ("twilio_api_key_secret", "twilio_api_key_secret to be printable ASCII"),
    ],
)
def test_an_incomplete_api_key_is_named(removed: str, expected: str) -> None:
    """The error says which field is missing."""
    fields = {name: value for name, value in API_KEY_FIELDS.items() if name != removed}
    with pytest.raises(ConfigurationRefused, match=f"expected {expected}.*found nothing"):
        twilio_credentials(fields)


SECRET = json.dumps({"ai_api_key": "a-made-up-api-key"})


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"{SECRET}\n",
        f"\ufeff{SECRET}",
        SECRET.encode(),
        SECRET.encode("utf-8-sig"),
        SECRET.encode("utf-16"),
        "\ufeff".encode("utf-16-be") + SECRET.encode("utf-16-be"),
    ],
)
def test_a_secret_may_have_another_encoding(value: str | bytes) -> None:
    """A trailing newline, a byte order mark, and UTF-16 as some editors save it."""
    assert {"ai_api_key": "a-made-up-api-key"} == parse_secret(value)


@pytest.mark.parametrize("value", ["a-key", b"\xff\xff", b"", "", b"\xff\xfea"])
def test_other_text_is_not_quoted(value: str | bytes) -> None:
    """The error says what was expected."""
    with pytest.raises(
        ConfigurationRefused, match="expected a JSON object, found other text"
    ) as error:
        parse_secret(value)
    assert error.value.__cause__ is None


def test_a_binary_secret_is_read(channel: Channel) -> None:
    """As the AWS CLI stores a file with `--secret-binary`."""
    channel.secretsmanager.put_secret_value(
        SecretId=OPENAI_SECRET, SecretBinary=SECRET.encode("utf-16")
    )
    assert [] == channel.deliver(context())


def test_a_secret_that_is_scheduled_for_deletion_is_reported(channel: Channel) -> None:
    """The record says so, and the message is not sent."""
    channel.secretsmanager.delete_secret(SecretId=OPENAI_SECRET, RecoveryWindowInDays=7)
    channel.deliver(context())
    failure = channel.record()["failure"]
    assert ("secret_missing", "the secret is scheduled for deletion") == (
        failure["code"],
        failure["detail"],
    )
    assert [] == channel.twilio.requests


def test_a_standard_key_may_list_messages_but_not_read_the_account() -> None:
    """As at Twilio, so a check of credentials must not read the account."""
    with FakeTwilio(accounts={ACCOUNT: TOKEN}, api_keys={KEY_SID: (ACCOUNT, KEY_SECRET)}) as twilio:
        lookup = TwilioLookup(5, twilio.origin)
        lookup.check(twilio_credentials(API_KEY_FIELDS))
        as_main_key = TwilioCredentials(KEY_SID, KEY_SECRET, None)
        with pytest.raises((ProcessingError, OperatorError)):
            lookup.check(as_main_key)
    assert all("Messages.json" in each.path for each in twilio.requests[:1])
