"""Pauses after a refused account, where keys are sent, and the forms of vendors' secrets."""

import json

import pytest

from lambda_src.core.contract import Step
from lambda_src.core.errors import AccountRefused, ConfigurationRefused
from lambda_src.core.retry import redelivery_delay
from lambda_src.core.settings import ConfigurationError, Settings
from lambda_src.core.time_budget import MAX_RETRY_AFTER
from lambda_src.services.secrets_manager_service import (
    parse_secret,
    twilio_credentials,
)
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    RECIPIENT,
    TEMPLATE,
    TWILIO_SECRET,
    Channel,
    context,
    recipient_data,
)


@pytest.mark.parametrize("receive_count", [1, 2, 5, 6, 19])
def test_pauses_after_a_refused_account_grow_to_six_hours(receive_count: int) -> None:
    """From a quarter of an hour, with at most a quarter of it random."""
    refused = AccountRefused("openai_402", Step.AI)
    longest = min(900 * 2 ** (receive_count - 1), MAX_RETRY_AFTER)
    assert 0.75 * longest <= redelivery_delay(refused, receive_count, 10) <= longest + 1


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("", True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("http://127.0.0.1:8080/v1", True),
        ("https://api.openai.com.example.com/v1", False),
        ("https://example.com/v1", False),
        ("https://eu.api.openai.com@example.com/v1", False),
        ("http://api.openai.com/v1", False),
    ],
)
def test_keys_are_sent_to_openai_only(url: str, is_accepted: bool) -> None:
    """Its global address, those of its regions, and servers on this machine."""
    required = ("CHANNEL", "QUEUE_URL", "CONVERSATIONS_TABLE", "SECRET_PREFIXES")
    environment = dict.fromkeys(required, "whatsapp") | {"OPENAI_BASE_URL": url}
    if is_accepted:
        assert url == Settings.from_environment(environment).openai_base_url
    else:
        with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL: not an address of OpenAI"):
            Settings.from_environment(environment)


def test_the_safety_identifier_is_the_recipients(channel: Channel) -> None:
    """It is the same for each message to a recipient, and reveals neither number nor tenant."""
    channel.deliver(context())
    channel.deliver(context(conversation_id="another"))
    another = {"recipient_tel": "+447700900124"}
    channel.deliver(context(lambda d: recipient_data(d).update(another), conversation_id="c"))
    responses = [each for each in channel.openai.requests if each.path.endswith("responses")]
    first, second, third = [each.body["safety_identifier"] for each in responses]
    assert first == second != third
    assert RECIPIENT not in first
    assert len(first) <= 128


# --- credentials

KEY_SID = "SK" + "2" * 32
KEY_SECRET = "a-made-up-key-secret"
KEY_FIELDS = {"twilio_api_key_sid": KEY_SID, "twilio_api_key_secret": KEY_SECRET}
API_KEY_FIELDS = {"twilio_account_sid": ACCOUNT, "twilio_template_sid": TEMPLATE} | KEY_FIELDS


@pytest.mark.parametrize("more", [{}, {"twilio_auth_token": "an-old-token"}])
def test_an_api_key_sends(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    """It has precedence over an auth token, while a tenant changes from one to the other."""
    monkeypatch.setitem(channel.twilio._logins, KEY_SID, (ACCOUNT, KEY_SECRET))
    channel.set_secret(TWILIO_SECRET, json.dumps(API_KEY_FIELDS | more))
    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())
    (sent,) = channel.twilio.messages()
    assert ACCOUNT == sent["account_sid"]


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


SECRET = json.dumps({"ai_api_key": API_KEY})


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
    assert {"ai_api_key": API_KEY} == parse_secret(value)


@pytest.mark.parametrize("value", ["a-key", b"\xff\xff", b"", "", b"\xff\xfea", b"\x00"])
def test_other_text_is_not_quoted(value: str | bytes) -> None:
    """The error says what was expected."""
    expected = "expected a JSON object, found other text"
    with pytest.raises(ConfigurationRefused, match=expected) as error:
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
    expected = ("secret_missing", "the secret is scheduled for deletion")
    assert expected == (failure["code"], failure["detail"])
    assert [] == channel.twilio.requests
