"""What is sent through the local cloud: numbers, each of which meets a fault of its own."""

import json

import pytest

from local.contexts import example
from local.journey import Sighting
from local.stand_ins import Fault, Match
from local.vendors import StandIns

PATIENCE_SECONDS = 180

GOOD, UNRECORDED, THROTTLED, BAD, SENT_TWICE, REFUSED, WATCHED, FREE = (
    f"+44770090020{digit}" for digit in range(1, 9)
)
UNANSWERED = "+447700900209"
FILTERS = {
    "whatsapp": "FinalDbUpdateFailureFilter-Dev",
    "sms": "FinalDbUpdateFailureFilter-Sms-Dev",
}
each_channel = pytest.mark.parametrize("channel", FILTERS)


def on(channel: str, number: str) -> str:
    """A number of the same last digit, another one for each channel."""
    return number if channel == "whatsapp" else number.replace("90020", "90030")


def bodies(channel: str, stand_ins: StandIns) -> dict[str, str]:
    """The channel's context objects by their recipients, once the vendors know how to fail."""
    numbers = (GOOD, UNRECORDED, THROTTLED, UNANSWERED, BAD)
    bodies = {on(channel, n): context(channel, on(channel, n)) for n in numbers}
    bodies[on(channel, BAD)] = _nameless(bodies[on(channel, BAD)])
    stand_ins.openai.fail_next(
        Fault.error(429, "rate_limit_exceeded", retry_after=1),
        match=Match(contains=conversation(on(channel, THROTTLED))),
    )
    stand_ins.twilio.fail_next(
        Fault.reset(effect_applied=True), match=Match(contains=on(channel, UNANSWERED))
    )
    return bodies


def context(name: str, number: str) -> str:
    """An example context object to a number."""
    return example(name, conversation_id=conversation(number), recipient=number)


def conversation(number: str) -> str:
    """The id of the conversation with a number."""
    return f"world {number[-3:]}"


def _nameless(body: str) -> str:
    document = json.loads(body)
    del document["company_data_payload"]["company_name"]
    return json.dumps(document)


def status_and_sid(sighting: Sighting) -> tuple[object, object]:
    """What a conversation's record says of its end."""
    return sighting.record["conversation_status"], sighting.record["message_sid"]
