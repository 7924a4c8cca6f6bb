"""Vendors and the table failing: what is tried again, what is settled, what calls a person."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_src import index
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings
from tests.services.channel import (
    ACCOUNT,
    CONVERSATION,
    OPENAI_SECRET,
    RECIPIENT,
    TEMPLATE,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)

LIST = Match(method="GET")


@contextmanager
def refused(channel: Channel, operation: str, code: str, *, containing: str = "") -> Iterator[None]:
    """Let the table refuse an operation whose request holds a text."""

    def refuse(params: dict[str, Any], **_: object) -> None:
        if containing in str(params["body"]):
            raise ClientError({"Error": {"Code": code, "Message": "made to fail"}}, operation)

    name = f"before-call.dynamodb.{operation}"
    events = channel.table_client().meta.events
    events.register(name, refuse)
    try:
        yield
    finally:
        events.unregister(name, refuse)


def lapse_the_sender(channel: Channel, conversation: str = CONVERSATION) -> None:
    """Let the time pass in which the announced send may still be under way."""
    channel.set_fields(conversation, send_deadline=0)


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


LOST = [
    Fault.reset(effect_applied=True),
    Fault.hang(effect_applied=True),
    Fault.empty(),
    Fault.not_json(502, effect_applied=True),
]


@pytest.mark.parametrize("fault", LOST, ids=["reset", "timeout", "empty answer", "bad gateway"])
def test_lost_answer_is_settled_by_twilios_list(channel: Channel, fault: Fault) -> None:
    """A message accepted although its answer was lost is found and recorded, not sent again."""
    channel.twilio.fail_next(fault)
    body = context()

    assert [body] == channel.deliver(body)
    assert "sending" == channel.record()["conversation_status"]
    assert "send_outcome_pending" in channel.events()

    lapse_the_sender(channel)
    assert [] == channel.deliver(body, receive_count=2)
    (message,) = channel.twilio.messages()
    assert "initial_message_sent" == channel.record()["conversation_status"]
    assert message["sid"] == channel.record()["message_sid"]
    assert 1 == len(channel.phone())


def test_send_that_is_under_way_elsewhere_is_left_alone(channel: Channel) -> None:
    """Before the sender's deadline a redelivery neither looks nor sends."""
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context())
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert calls == channel.vendor_calls()


def test_send_that_stays_unaccounted_for_calls_a_person(channel: Channel) -> None:
    """A message that Twilio never lists is looked for, then declared unknown, and never resent."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context())
    lapse_the_sender(channel)

    for look in range(3):
        assert "send_outcome_unknown" not in channel.events()
        assert [context()] == channel.deliver(context(), receive_count=2 + look)

    line = channel.events()["send_outcome_unknown"]
    assert "CRITICAL" == line["level"]
    assert RECIPIENT not in json.dumps(line)
    assert "send_unknown" == channel.record()["conversation_status"]
    assert [] == channel.phone()


def test_last_delivery_declares_what_it_cannot_settle(channel: Channel) -> None:
    """A send still unknown when the queue delivers for the last time is alarmed before it ends."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context())
    lapse_the_sender(channel)
    channel.twilio.fail_next(Fault.error(500), match=LIST)

    channel.deliver(context(), receive_count=10)

    assert "send_unknown" == channel.record()["conversation_status"]
    assert "send_outcome_unknown" in channel.events()


def test_list_that_lags_is_looked_at_again(channel: Channel) -> None:
    """A message that Twilio lists late is found by a later look."""
    channel.twilio.settings = TwilioSettings(list_lag_calls=1)
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context())
    lapse_the_sender(channel)

    assert [context()] == channel.deliver(context(), receive_count=2)
    assert [] == channel.deliver(context(), receive_count=3)

    assert "initial_message_sent" == channel.record()["conversation_status"]


def test_other_conversations_messages_are_not_taken_for_it(channel: Channel) -> None:
    """A message that another conversation with the recipient recorded is no candidate."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context())
    channel.deliver(context(conversation_id="another"))
    lapse_the_sender(channel)

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert "sending" == channel.record()["conversation_status"]


def test_failed_final_update_is_critical_and_repaired(channel: Channel) -> None:
    """A sent message whose record cannot be written is alarmed, and recorded by the redelivery."""
    body = context()
    with refused(channel, "UpdateItem", "AccessDeniedException", containing="message_sid"):
        assert [body] == channel.deliver(body)

    line = channel.events()["final_db_update_failed"]
    sid = line["message_sid"]
    assert "CRITICAL" == line["level"]
    assert "sending" == channel.record()["conversation_status"]

    lapse_the_sender(channel)
    assert [] == channel.deliver(body, receive_count=2)
    assert sid == channel.record()["message_sid"]
    assert 1 == len(channel.phone())


def test_table_that_does_not_answer_sends_nothing(channel: Channel) -> None:
    """Without a claim there is no vendor call; the message stays on the queue."""
    with refused(channel, "TransactWriteItems", "InternalServerError"):
        assert [context()] == channel.deliver(context())

    assert 0 == channel.vendor_calls()
    assert "ledger_unavailable" in channel.events()


def test_lost_intent_sends_nothing_and_is_tried_again(channel: Channel) -> None:
    """When the intent cannot be written nothing is sent, and the answer is not lost for good."""
    with refused(channel, "UpdateItem", "ThrottlingException", containing="send_intent_at"):
        channel.deliver(context())
    assert [] == channel.phone()
    assert "retry" == channel.record()["conversation_status"]

    assert [] == channel.deliver(context(), receive_count=2)
    assert 1 == len(channel.phone())


def test_busy_conversation_is_left_to_its_worker(channel: Channel) -> None:
    """A duplicate of a message that another worker holds is reported, and touches nothing."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=9_999_999_999)
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert calls == channel.vendor_calls()
    assert "busy_elsewhere" in channel.events()


def test_lapsed_lease_is_taken_over(channel: Channel) -> None:
    """A conversation whose worker died is taken over when its lease has ended."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=1)

    assert [] == channel.deliver(context(), receive_count=2)

    assert 1 == len(channel.phone())


def test_does_not_begin_without_time(channel: Channel) -> None:
    """Near the function's end nothing is claimed or sent; the message stays on the queue."""
    assert [context()] == channel.deliver(context(), seconds_left=5)

    assert 0 == channel.vendor_calls()
    assert channel.record() is None
