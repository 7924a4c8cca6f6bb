"""Sends whose answer was lost: settled by Twilio's list, or a person is called; never repeated."""

import json

import pytest

from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings
from tests.services.channel import RECIPIENT, Channel, context
from tests.services.mishaps import lapse_the_sender

LIST = Match(method="GET")
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
