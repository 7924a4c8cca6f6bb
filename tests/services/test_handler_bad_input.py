"""Bad input: an event in the log, a recorded reason, no vendor call, a reported failure."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.stand_ins.faults import Fault
from tests.services.channel import (
    ACCOUNT,
    OPENAI_SECRET,
    TOKEN,
    TWILIO_SECRET,
    Change,
    Channel,
    channel_config,
    context,
    openai_config,
    recipient_data,
)


def _company(document: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = document["company_data_payload"]
    return part


def _request(document: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = document["frontend_payload"]["request_data"]
    return part


REFUSED: dict[str, Change] = {
    "context_invalid": lambda d: _company(d).pop("company_name"),
    "wrong_channel": lambda d: _request(d).update(channel_method="sms"),
    "consent_not_given": lambda d: recipient_data(d).update(comms_consent=False),
    "project_not_active": lambda d: _company(d).update(project_status="paused"),
    "channel_not_allowed": lambda d: _company(d).update(allowed_channels=["email"]),
    "secret_reference_refused": lambda d: openai_config(d).update(
        api_key_reference="ai-multi-comms/dev/openai-api-key/sms"
    ),
    "assistant_unknown": lambda d: openai_config(d).update(
        assistant_id_template_sender="nobody_knows_it"
    ),
    "secret_missing": lambda d: channel_config(d).update(
        whatsapp_credentials_id="ai-multi-comms/dev/whatsapp-credentials/nobody"
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_refused_context_is_recorded_and_calls_no_vendor(channel: Channel, code: str) -> None:
    """Each refused context object is logged, recorded as failed with its code, and reported."""
    body = context(REFUSED[code])

    assert [body] == channel.deliver(body)

    record = channel.record()
    assert "failed" == record["conversation_status"]
    assert code == record["failure"]["code"]
    assert "ERROR" == channel.events()[code]["level"]
    assert 0 == channel.vendor_calls()


@pytest.mark.parametrize(
    ("body", "event"),
    [("no JSON", "body_not_json"), ("[1, 2]", "body_not_object"), ("{}", "context_invalid")],
)
def test_body_without_a_key_is_logged(channel: Channel, body: str, event: str) -> None:
    """A body that tells no key is logged with its message id and reported; nothing is recorded."""
    assert [body] == channel.deliver(body)

    assert "sqs_message_id" in channel.events()[event]
    assert 0 == channel.dynamodb.scan(TableName=channel.table)["Count"]
    assert 0 == channel.vendor_calls()


def test_number_that_is_not_e164_is_recorded_under_it(channel: Channel) -> None:
    """A recipient's number in another form is the record's key all the same."""
    body = context(lambda d: recipient_data(d).update(recipient_tel="07700 900123"))

    assert [body] == channel.deliver(body)

    record = channel.record(recipient="07700 900123")
    assert "phone_not_e164" == record["failure"]["code"]
    assert "07700" not in json.dumps(channel.read_log())


def test_lists_every_problem_at_once(channel: Channel) -> None:
    """Fields missing, empty and of the wrong type stand in one error, without their values."""

    def spoil(document: dict[str, Any]) -> None:
        _company(document).update(company_name="", project_name=7)
        _company(document).pop("allowed_channels")

    channel.deliver(context(spoil))

    detail = channel.record()["failure"]["detail"]
    assert "company_data_payload.company_name: expected a non-empty string" in detail
    assert "company_data_payload.project_name: expected" in detail
    assert "found a number" in detail
    assert "company_data_payload.allowed_channels: expected a value, found nothing" in detail


def test_refused_context_leaves_an_earlier_record_alone(channel: Channel) -> None:
    """A bad message for a conversation whose message is sent does not touch its record."""
    channel.deliver(context())
    before = channel.record()

    channel.deliver(context(REFUSED["consent_not_given"]))

    assert before == channel.record()


MALFORMED = {
    "not JSON": (OPENAI_SECRET, "plain text"),
    "no object": (OPENAI_SECRET, '["x"]'),
    "a placeholder": (OPENAI_SECRET, '{"placeholder": "x"}'),
    "an empty key": (OPENAI_SECRET, '{"ai_api_key": ""}'),
    "no token": (TWILIO_SECRET, json.dumps({"twilio_account_sid": ACCOUNT})),
    "a number as token": (
        TWILIO_SECRET,
        json.dumps({"twilio_account_sid": ACCOUNT, "twilio_auth_token": 7}),
    ),
    "an empty template": (
        TWILIO_SECRET,
        json.dumps(
            {
                "twilio_account_sid": ACCOUNT,
                "twilio_auth_token": TOKEN,
                "twilio_template_sid": "",
            }
        ),
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_secret_fails_without_its_value(channel: Channel, kind: str) -> None:
    """A secret that is not in its documented form fails the message and is quoted nowhere."""
    name, value = MALFORMED[kind]
    channel.set_secret(name, value)
    body = context()

    assert [body] == channel.deliver(body)

    record = channel.record()
    assert "failed" == record["conversation_status"]
    assert "secret_malformed" == record["failure"]["code"]
    assert 0 == channel.vendor_calls()
    assert value not in json.dumps([channel.read_log(), record["failure"]])


ANSWERS: dict[str, Callable[[], Fault]] = {
    "ai_answer_refused": Fault.refusal,
    "ai_answer_cut_off": Fault.incomplete,
    "ai_answer_unfit": Fault.misfit,
}


@pytest.mark.parametrize("engine", ["responses", "assistants"])
@pytest.mark.parametrize("code", ANSWERS)
def test_unusable_answer_is_never_sent(channel: Channel, code: str, engine: str) -> None:
    """An answer refused, cut off or not fitting the variables fails and reaches no phone."""
    channel.openai.fail_next(ANSWERS[code]())
    body = context(lambda d: openai_config(d).update(engine=engine))

    assert [body] == channel.deliver(body)

    assert "failed" == channel.record()["conversation_status"]
    assert code == channel.record()["failure"]["code"]
    assert [] == channel.twilio.requests


def test_failed_conversation_is_not_tried_again(channel: Channel) -> None:
    """A redelivery of a failed message is reported at once, without a vendor call."""
    body = context(REFUSED["assistant_unknown"])
    channel.deliver(body)

    assert [context()] == channel.deliver(context())

    assert "already_ended" in channel.events()
    assert 0 == channel.vendor_calls()


def test_record_too_large_for_the_table_fails_clearly(channel: Channel) -> None:
    """A context object larger than a record can be ends as failed, with a small record."""
    body = context(lambda d: d["frontend_payload"].update(project_data={"text": "x" * 500_000}))

    assert [body] == channel.deliver(body)

    assert "record_too_large" == channel.record()["failure"]["code"]
    assert 0 == channel.vendor_calls()
