"""The messages of the tests: recipients, each with a fault of its own."""

import pytest

from local.contexts import example
from local.demo.scenarios import UNDELIVERED_CODE
from local.fakes import Fault, Match
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.vendors import FakeVendors

TIMEOUT_SECONDS = 180
"""The longest wait, even on a slow machine; most take less than 10 seconds."""
several_waits = pytest.mark.timeout(900)
"""For tests that wait several times, possibly after the start of the local cloud."""

SENT_FIRST = ("good", "overloaded", "unanswered", "undelivered")
"""What happens to the messages that are sent on each channel before the first test."""
CHANNELS = ("whatsapp", "sms")
each_channel = pytest.mark.parametrize("channel", CHANNELS)


def recipient(situation: str, channel: str = "whatsapp") -> str:
    """Return the recipient of a channel's message in a situation; each has its own number."""
    situations = (*SENT_FIRST, "free text", "sent twice", "rejected", "watched")
    number = 200 + len(situations) * CHANNELS.index(channel) + situations.index(situation)
    return f"+447700900{number}"


def bodies(channel: str, fakes: FakeVendors) -> dict[str, str]:
    """Prepare the vendors' faults; return the channel's first context objects by recipient."""
    numbers = {situation: recipient(situation, channel) for situation in SENT_FIRST}
    bodies = {number: context(channel, number) for number in numbers.values()}
    overloaded = Match(contains=conversation(numbers["overloaded"]))
    fakes.openai.fail_next(Fault.error(503, "server_error"), match=overloaded)
    lost = Match(contains=numbers["unanswered"])
    fakes.twilio.fail_next(Fault.reset(effect_applied=True), match=lost)
    undelivered = Match(contains=numbers["undelivered"])
    fakes.twilio.fail_next(Fault.undelivered(UNDELIVERED_CODE), match=undelivered)
    # A later delivery is to record the send, and no callback to prove it.
    fakes.twilio.add_rule(fakes.twilio.rule(Fault.callback_lost(), match=lost, times=None))
    return bodies


def context(name: str, number: str) -> str:
    """Return an example context object for a recipient."""
    return example(name, conversation_id=conversation(number), recipient=number)


def conversation(number: str) -> str:
    """Return the id of the conversation with a recipient."""
    return f"conversation {number[-3:]}"


def wait_until(state: MessageState, tracker: MessageTracker) -> MessageStatus:
    """Wait until a message's state is final; in any other state fail with the message's log."""
    status = tracker.wait(TIMEOUT_SECONDS)
    summary = (status.state, status.deliveries, status.record.get("conversation_status"))
    lines = tracker._channel.log_of(tracker.message_id)
    assert state is status.state, "\n".join(map(str, [summary, *lines]))
    return status
