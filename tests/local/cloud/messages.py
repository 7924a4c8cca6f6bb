"""The messages of the tests: recipients, each with a fault of its own."""

import json

import pytest

from local.contexts import example
from local.fakes import Fault, Match
from local.message_tracker import MessageStatus
from local.vendors import FakeVendors

TIMEOUT_SECONDS = 180

GOOD, UNRECORDED, OVERLOADED, BAD, SENT_TWICE, REJECTED, WATCHED, FREE = (
    f"+44770090020{digit}" for digit in range(1, 9)
)
UNANSWERED = "+447700900209"
METRIC_FILTERS = {
    "whatsapp": "FinalDbUpdateFailureFilter-Dev",
    "sms": "FinalDbUpdateFailureFilter-Sms-Dev",
}
each_channel = pytest.mark.parametrize("channel", METRIC_FILTERS)


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


def status_and_sid(status: MessageStatus) -> tuple[object, object]:
    """Return the result in a conversation's record."""
    return status.record["conversation_status"], status.record["message_sid"]
