"""Whoever opted out is not written to again, from Twilio's word to an operator's lifting it."""

import time
from typing import Any

import pytest

from lambda_src.services.recipient_marks import key_of
from ops.register_writes import Signature
from ops.suppressions import BY_OPERATOR, Suppressions, digest_of
from tests.services.channel import RECIPIENT, Change, Channel, context, recipient_data
from tests.services.mishaps import refused

SIGNATURE = Signature("arn:aws:iam::123456789012:user/on-duty", "request 17", time.time())
OPTED_OUT = ("21610", "63014", "63033")
OPT_OUT = "suppressed_for"  # only the write that suppresses has it


def office(channel: Channel, name: str = "whatsapp") -> Suppressions:
    """The suppressions of the channel, in an operator's hands."""
    return Suppressions(channel.dynamodb, channel.table, name)


def to(number: str) -> Change:
    """Another recipient."""

    def change(document: dict[str, Any]) -> None:
        recipient_data(document)["recipient_tel"] = number

    return change


@pytest.mark.parametrize("code", OPTED_OUT)
def test_an_opt_out_at_the_vendor_suppresses(channel: Channel, code: str) -> None:
    """Twilio refuses the message: its record is `failed`, and the recipient is suppressed."""
    channel.twilio.fail_next(code)
    assert [context()] == channel.deliver(context())

    assert ("failed", f"twilio_{code}") == (
        channel.record()["conversation_status"],
        channel.record()["failure"]["code"],
    )
    (suppression,) = office(channel).all()
    assert (digest_of("whatsapp", RECIPIENT), f"twilio_{code}") == (
        suppression.digest,
        suppression.reason,
    )


def test_later_messages_fail_before_anybody_is_asked(channel: Channel) -> None:
    """Neither the AI nor Twilio nor a secret is asked; record and log say why, and say it once."""
    office(channel).add(RECIPIENT, SIGNATURE)
    body = context()

    assert [body] == channel.deliver(body)

    line = channel.events()["recipient_suppressed"]
    assert ("ERROR", "claim") == (line["level"], line["failure_step"])
    assert ("failed", "recipient_suppressed") == (
        channel.record()["conversation_status"],
        channel.record()["failure"]["code"],
    )
    assert [body] == channel.deliver(body, receive_count=2)
    assert {"already_ended"} == set(channel.events()) & {"already_ended", "recipient_suppressed"}
    assert 0 == channel.vendor_calls()


def test_a_retry_is_turned_away_too(channel: Channel) -> None:
    """A conversation that waits for its next try when the recipient opts out ends as `failed`."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    office(channel).add(RECIPIENT, SIGNATURE)
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert ("failed", "recipient_suppressed", calls) == (
        channel.record()["conversation_status"],
        channel.record()["failure"]["code"],
        channel.vendor_calls(),
    )


def test_only_the_recipient_and_the_channel_are_meant(channel: Channel) -> None:
    """Another number on the channel, and the number's suppression on another, change nothing."""
    office(channel).add("+447700900999", SIGNATURE)
    office(channel, "sms").add(RECIPIENT, SIGNATURE)

    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())


def test_consent_is_asked_for_first(channel: Channel) -> None:
    """Without consent the message is refused for that, whoever opted out."""
    office(channel).add(RECIPIENT, SIGNATURE)
    channel.deliver(context(lambda document: recipient_data(document).update(comms_consent=False)))

    assert "consent_not_given" == channel.record()["failure"]["code"]


def test_a_lifted_suppression_lets_later_messages_through(channel: Channel) -> None:
    """Whoever agreed again is written to; the lifted mark tells who lifted it, and expires."""
    desk = office(channel)
    assert desk.add(RECIPIENT, SIGNATURE)
    assert not desk.add(RECIPIENT, SIGNATURE)
    assert desk.lift(RECIPIENT, SIGNATURE)
    assert not desk.lift(RECIPIENT, SIGNATURE)

    assert [] == channel.deliver(context())

    assert (1, []) == (len(channel.phone()), list(desk.all()))
    mark = mark_of(channel)
    assert ["suppression added", "suppression lifted"] == [
        line["what"] for line in mark["operator_actions"]
    ]
    assert mark["expires_at"] > time.time() + 28 * 24 * 3600


def test_a_suppression_has_no_end_and_no_number(channel: Channel) -> None:
    """It is kept for good, and knows the recipient by a digest alone."""
    desk = office(channel)
    desk.add(RECIPIENT, SIGNATURE)
    desk.lift(RECIPIENT, SIGNATURE)
    desk.add(RECIPIENT, SIGNATURE)

    found = desk.find(RECIPIENT)
    assert found
    assert (BY_OPERATOR, 3) == (found.reason, len(found.actions))
    assert "expires_at" not in mark_of(channel)
    assert RECIPIENT[1:] not in str(mark_of(channel))


def test_failing_and_suppressing_are_one_write(channel: Channel) -> None:
    """Where the write is refused, the record does not say `failed`, and nobody is suppressed."""
    channel.twilio.fail_next("21610")
    with refused(channel, "TransactWriteItems", "AccessDeniedException", containing=OPT_OUT):
        channel.deliver(context())

    assert ("sending", []) == (channel.record()["conversation_status"], list(office(channel).all()))


def test_the_claim_and_the_look_are_one_call(channel: Channel) -> None:
    """A message that is turned away costs two calls to the table: the claim, and its record."""
    office(channel).add(RECIPIENT, SIGNATURE)
    operations: list[str] = []
    channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
    )

    channel.deliver(context())

    assert ["TransactWriteItems", "TransactWriteItems"] == operations


def mark_of(channel: Channel) -> dict[str, Any]:
    """The recipient's mark as it is stored."""
    key = key_of("whatsapp", RECIPIENT)
    found: dict[str, Any] = channel.record(key["conversation_id"], key["primary_channel"])
    return found
