"""The messages of the tests: recipients, each with a fault of its own."""

from typing import Any

import pytest

from local.contexts import example
from local.demo.scenarios import UNDELIVERED_CODE
from local.fakes import FakeTwilio, Fault, Match
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.vendors import FakeVendors

TIMEOUT_SECONDS = 180
"""The longest wait, even on a slow machine; most take less than 10 seconds."""
several_waits = pytest.mark.timeout(900)
"""For tests that wait several times, possibly after the start of the local cloud."""

SENT_FIRST = (
    *("good", "unrecorded", "overloaded", "unanswered"),
    *("undelivered", "forged", "reordered"),
)
"""What happens to the messages that are sent on each channel before the first test."""
METRIC_FILTERS = {
    "whatsapp": "FinalDbUpdateFailureFilter-Dev",
    "sms": "FinalDbUpdateFailureFilter-Sms-Dev",
}
EMAIL = "Amara@Example.com"
"""The recipient of the e-mail that is sent before the first test."""
FORGED = {"whatsapp": ["signature", "unsigned", "body"], "sms": ["account", "body"]}
"""One forgery for each status that a channel reports."""
LATE_SECONDS = 5
each_channel = pytest.mark.parametrize("channel", METRIC_FILTERS)


FailedUpdate = tuple[dict[str, Any], MessageStatus]
"""A failed final update: its CRITICAL log line, and the message's status at that time."""


def recipient(situation: str, channel: str = "whatsapp") -> str:
    """Return the recipient of a channel's message in a situation; each has its own number."""
    situations = (*SENT_FIRST, "free text", "sent twice", "rejected", "watched")
    number = 200 + len(situations) * [*METRIC_FILTERS].index(channel) + situations.index(situation)
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
    _prepare_callbacks(fakes.twilio, numbers, FORGED[channel])
    return bodies


def _prepare_callbacks(twilio: FakeTwilio, numbers: dict[str, str], forgeries: list[str]) -> None:
    for situation in ("unrecorded", "unanswered"):  # which later deliveries are to repair
        match = Match(contains=numbers[situation])
        twilio.add_rule(twilio.rule(Fault.callback_lost(), match=match, times=None))
    for forgery in forgeries:
        forged = Match(contains=numbers["forged"])
        twilio.fail_next(Fault.callback_forged(forgery), match=forged)
    first = Match(
        contains=numbers["reordered"], predicate=lambda each: "sent" in each.body.values()
    )
    twilio.fail_next(Fault.callback_delayed(LATE_SECONDS), match=first)


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
