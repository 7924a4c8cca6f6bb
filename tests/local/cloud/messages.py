"""The messages of the tests: recipients, each with a fault of its own."""

import json
from typing import Any, NamedTuple

import pytest

from local.contexts import example
from local.fakes import Fault, Match
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.vendors import FakeVendors

TIMEOUT_SECONDS = 180
"""The longest wait, even on a slow machine; most take less than 10 seconds."""
several_waits = pytest.mark.timeout(900)
"""For tests that wait several times, possibly after the start of the local cloud."""

GOOD, UNRECORDED, OVERLOADED, BAD, SENT_TWICE, REJECTED, WATCHED, FREE = (
    f"+44770090020{digit}" for digit in range(1, 9)
)
UNANSWERED = "+447700900209"
METRIC_FILTERS = {
    "whatsapp": "FinalDbUpdateFailureFilter-Dev",
    "sms": "FinalDbUpdateFailureFilter-Sms-Dev",
}
each_channel = pytest.mark.parametrize("channel", METRIC_FILTERS)


class FailedUpdate(NamedTuple):
    """A failed final update: its CRITICAL log line, and the message's status at that time."""

    line: dict[str, Any]
    status: MessageStatus


def on(channel: str, number: str) -> str:
    """Return the channel's number with the same last digit."""
    return number if channel == "whatsapp" else number.replace("90020", "90030")


def bodies(channel: str, fakes: FakeVendors) -> dict[str, str]:
    """Prepare the vendors' faults; return the channel's context objects by recipient."""
    numbers = (GOOD, UNRECORDED, OVERLOADED, UNANSWERED, BAD)
    bodies = {on(channel, n): context(channel, on(channel, n)) for n in numbers}
    document = json.loads(bodies[on(channel, BAD)])
    del document["company_data_payload"]["company_name"]
    bodies[on(channel, BAD)] = json.dumps(document)
    fakes.openai.fail_next(
        Fault.error(503, "server_error"),
        match=Match(contains=conversation(on(channel, OVERLOADED))),
    )
    fakes.twilio.fail_next(
        Fault.reset(effect_applied=True), match=Match(contains=on(channel, UNANSWERED))
    )
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
