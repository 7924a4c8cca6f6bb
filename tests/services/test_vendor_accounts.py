"""Refusals of the account or its configuration: retried for days with an alarm, never `failed`."""

import json
from pathlib import Path
from typing import Any

import pytest

from lambda_src.core.errors import AccountRefused
from lambda_src.core.retry import redelivery_delay
from lambda_src.core.settings import ConfigurationError, Settings
from lambda_src.core.time_budget import (
    MAX_RETRY_AFTER,
    MIN_ACCOUNT_RETRY_SECONDS,
    account_retry_seconds,
)
from local.fakes.faults import Fault
from tests.support.channel import (
    RECIPIENT,
    TWILIO_SECRET,
    Channel,
    channel_config,
    context,
    openai_config,
    recipient_data,
)

OPENAI_REFUSALS = [
    *("insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"),
    *("project_spend_limit_exceeded", "organization_usage_limit_exceeded"),
    *("account_deactivated", "organization_restricted"),
    *("incorrect_hostname", "data_residency_mismatch"),
    *("invalid_json_schema", "unsupported_parameter", "unsupported_value", "model_not_found"),
]
TWILIO_REFUSALS = [
    *(10001, 20005, 20403, 30002, 63020, 63051, 63112),
    *(20404, 21212, 21408, 21603, 21606, 63001, 63002, 63007, 63008, 63022),
    *(21655, 63027, 63028, 63040, 63041, 63042),
]


def check_refusal(channel: Channel, code: str) -> None:
    """Deliver a message, and check that it is retried with an alarm and then sent."""
    body = context()
    assert [body] == channel.deliver(body)
    record = channel.record()
    assert ("retry", code) == (record["conversation_status"], record["failure"]["code"])
    line = channel.events()["vendor_account_refused"]
    assert ("CRITICAL", code) == (line["level"], line["failure_code"])
    assert RECIPIENT not in json.dumps(line)
    assert [] == channel.deliver(body, receive_count=2)
    assert 1 == len(channel.phone())


@pytest.mark.parametrize("code", OPENAI_REFUSALS)
def test_a_refusal_by_openai_is_retried(channel: Channel, code: str) -> None:
    """Once the account is in order, the message is sent."""
    channel.openai.fail_next(code)
    check_refusal(channel, f"openai_{code}")


@pytest.mark.parametrize("code", TWILIO_REFUSALS)
def test_a_refusal_by_twilio_is_retried(channel: Channel, code: int) -> None:
    """Once the account is in order, the message is sent."""
    channel.twilio.fail_next(str(code))
    check_refusal(channel, f"twilio_{code}")


@pytest.mark.parametrize("vendor", ["openai", "twilio"])
def test_payment_required_means_no_funds(channel: Channel, vendor: str) -> None:
    """Even without a code."""
    getattr(channel, vendor).fail_next(Fault.error(402))
    check_refusal(channel, f"{vendor}_402")


ASSISTANT = {
    "model": "gpt-6-luna",
    "instructions": "Write.",
    "variables": {"1": {"description": "The first name"}, "2": {"description": "The message"}},
}


@pytest.mark.parametrize(
    ("code", "ai", "credentials"),
    [
        ("openai_invalid_value", {"assistant": ASSISTANT | {"reasoning_effort": "minimal"}}, {}),
        ("openai_model_not_found", {"assistant": ASSISTANT | {"model": "gpt-4o"}}, {}),
        ("assistant_unknown", {"assistant_id_template_sender": "nobody_knows_it"}, {}),
        ("assistant_template_mismatch", {"assistant": {**ASSISTANT, "variables": {}}}, {}),
        ("assistants_engine_not_configured", {"engine": "assistants"}, {}),
        ("secret_missing", {}, {"whatsapp_credentials_id": f"{TWILIO_SECRET}-2"}),
    ],
)
def test_a_configuration_that_other_messages_use_too_is_retried(
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    ai: dict[str, Any],
    credentials: dict[str, Any],
) -> None:
    """A deployment, a new secret or another context object corrects it; nothing is sent before."""
    monkeypatch.delenv("ASSISTANTS_BASE_URL", raising=False)

    def change(document: dict[str, Any]) -> None:
        openai_config(document).update(ai)
        channel_config(document).update(credentials)

    body = context(change)
    assert [body] == channel.deliver(body)
    record = channel.record()
    assert ("retry", code) == (record["conversation_status"], record["failure"]["code"])
    line = channel.events()["vendor_account_refused"]
    assert ("CRITICAL", code) == (line["level"], line["failure_code"])
    assert [] == channel.phone()


@pytest.mark.parametrize("receive_count", range(1, 20))
def test_pauses_after_a_refused_account_grow_to_six_hours(receive_count: int) -> None:
    """From a quarter of an hour, with at most a quarter of it random."""
    refused = AccountRefused("openai_402", "ai")  # type: ignore[arg-type]
    longest = min(900 * 2 ** (receive_count - 1), MAX_RETRY_AFTER)
    assert 0.75 * longest <= redelivery_delay(refused, receive_count, 10) <= longest + 1


def test_the_shipped_receives_last_for_48_hours() -> None:
    """With the shortest pauses, and without the final delivery, which does not send."""
    configuration = json.loads(Path("cdk.json").read_text("utf-8"))
    for environment in configuration["context"]["environments"].values():
        seconds = account_retry_seconds(environment["max_receive_count"], 10)
        assert seconds >= MIN_ACCOUNT_RETRY_SECONDS


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
    first, second, third = [
        each.body["safety_identifier"]
        for each in channel.openai.requests
        if each.path.endswith("responses")
    ]
    assert first == second != third
    assert RECIPIENT not in first
    assert len(first) <= 128
