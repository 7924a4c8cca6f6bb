"""Vendors failing: what is tried again, what is given up, what calls a person."""

import json

import pytest

from lambda_src import index
from local.stand_ins.faults import Fault
from tests.services.channel import (
    ACCOUNT,
    OPENAI_SECRET,
    TEMPLATE,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("rate_limit_exceeded", "openai_rate_limit_exceeded"),
        (Fault.error(500, "server_error"), "openai_server_error"),
        (Fault.error(400, "conversation_locked"), "openai_conversation_locked"),
        (Fault.reset(), "openai_unreachable"),
        (Fault.failed("server_error"), "openai_server_error"),
    ],
    ids=["rate limit", "server error", "locked", "reset", "failed"],
)
@pytest.mark.parametrize("engine", ["responses", "assistants"])
def test_passing_ai_fault_is_tried_again(
    channel: Channel, fault: Fault | str, code: str, engine: str
) -> None:
    """A fault of OpenAI that may pass is recorded as retry, and the next delivery sends."""
    channel.openai.fail_next(fault)
    body = context(lambda d: openai_config(d).update(engine=engine))

    assert [body] == channel.deliver(body)
    assert "retry" == channel.record()["conversation_status"]
    assert code == channel.record()["failure"]["code"]

    assert [] == channel.deliver(body, receive_count=2)
    assert 1 == len(channel.phone())
    assert "failure" not in channel.record()


@pytest.mark.parametrize("name", ["insufficient_quota", "credit_balance_exhausted"])
def test_vendor_that_refuses_our_money_calls_a_person(channel: Channel, name: str) -> None:
    """An account without funds is tried again later, with a line that the alarm listens for."""
    channel.openai.fail_next(name)

    channel.deliver(context())

    assert "retry" == channel.record()["conversation_status"]
    assert "CRITICAL" == channel.events()["vendor_account_refused"]["level"]


def test_rotated_api_key_is_read_anew(channel: Channel) -> None:
    """A key that OpenAI refuses is read once more, and the message goes out at once."""
    good = channel.secretsmanager.get_secret_value(SecretId=OPENAI_SECRET)["SecretString"]
    channel.set_secret(OPENAI_SECRET, '{"ai_api_key": "a-stale-key"}')
    index.batch_handler().flow.drafting.secrets.openai_key(OPENAI_SECRET)
    channel.set_secret(OPENAI_SECRET, good)

    assert [] == channel.deliver(context())

    assert 1 == len(channel.phone())


def test_rotated_twilio_token_is_read_anew(channel: Channel) -> None:
    """A token that Twilio refuses is read once more, and the message is sent once."""
    good = channel.secretsmanager.get_secret_value(SecretId=TWILIO_SECRET)["SecretString"]
    stale = {**json.loads(good), "twilio_auth_token": "a-stale-token"}
    channel.set_secret(TWILIO_SECRET, json.dumps(stale))
    index.batch_handler().flow.sending.secrets.credentials(TWILIO_SECRET)
    channel.set_secret(TWILIO_SECRET, good)

    assert [] == channel.deliver(context())

    assert 1 == len(channel.phone())


def test_credentials_refused_twice_call_a_person(channel: Channel) -> None:
    """Credentials that stay refused are recorded as retry and alarmed; no second message."""
    stale = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": "x",
        "twilio_template_sid": TEMPLATE,
    }
    channel.set_secret(TWILIO_SECRET, json.dumps(stale))

    channel.deliver(context())

    assert "retry" == channel.record()["conversation_status"]
    assert "twilio_20003" == channel.events()["vendor_account_refused"]["failure_code"]
    assert 2 == len(channel.twilio.requests)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("20429", "retry"),
        ("63017", "retry"),
        ("21211", "failed"),
        ("21610", "failed"),
        ("63016", "failed"),
        ("21606", "failed"),
        ("20005", "retry"),
        ("63010", "retry"),
    ],
)
def test_refused_send_is_recorded_by_its_code(channel: Channel, name: str, status: str) -> None:
    """A send that Twilio refuses for certain ends as failed or retry, never as unknown."""
    channel.twilio.fail_next(name)

    channel.deliver(context())

    record = channel.record()
    assert status == record["conversation_status"]
    assert f"twilio_{name}" == record["failure"]["code"]
    assert [] == channel.phone()


def test_answer_is_not_asked_for_again(channel: Channel) -> None:
    """After a send that failed for certain, the stored answer is sent, and the AI not asked."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    asked = len(channel.openai.requests)

    assert [] == channel.deliver(context(), receive_count=2)

    assert asked == len(channel.openai.requests)
    assert 1 == len(channel.phone())
    assert 2 == channel.record()["attempt"]
