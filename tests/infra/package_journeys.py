"""Deliveries that lead the packaged handler along all of its ways, those of errors too."""

from collections.abc import Callable
from dataclasses import dataclass

from local.stand_ins import OpenAIStandIn, TwilioStandIn
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from tests.services.account import MAX_RECEIVE_COUNT
from tests.services.channel import Change, openai_config, recipient_data

Preparation = Callable[[OpenAIStandIn, TwilioStandIn], None]
SENDING = Match(method="POST")


@dataclass(frozen=True)
class Journey:
    """One delivery.

    Attributes:
        name: Of its conversation; a journey of the same name delivers the message again.
        status: The record's status afterwards.
        prepare: What the vendors are told before.
        change: What is different about the context object.
        receive_count: Which delivery of the queue message it is.
    """

    name: str
    status: str
    prepare: Preparation = lambda openai, twilio: None  # noqa: ARG005 - nothing
    change: Change = lambda document: None  # noqa: ARG005 - nothing
    receive_count: int = 1


def _openai(fault: Fault | str) -> Preparation:
    return lambda openai, _: openai.fail_next(fault)


def _twilio(fault: Fault | str) -> Preparation:
    return lambda _, twilio: twilio.fail_next(fault, match=SENDING)


JOURNEYS = (
    Journey("clean", "initial_message_sent"),
    Journey("clean", "initial_message_sent"),
    Journey(
        "threads",
        "initial_message_sent",
        change=lambda document: openai_config(document).update(engine="assistants"),
    ),
    Journey(
        "refused",
        "failed",
        change=lambda document: recipient_data(document).update(comms_consent=0),
    ),
    Journey("ai error", "retry", _openai("server_error")),
    Journey("ai rate", "retry", _openai("rate_limit_exceeded")),
    Journey("ai key", "initial_message_sent", _openai("invalid_api_key")),
    Journey("ai invalid", "failed", _openai("invalid_value")),
    Journey("ai reset", "retry", _openai(Fault.reset())),
    Journey("ai empty", "retry", _openai(Fault.empty())),
    Journey("ai page", "retry", _openai(Fault.not_json())),
    Journey("send refused", "failed", _twilio("21211")),
    Journey("send rate", "retry", _twilio("20429")),
    Journey("send key", "initial_message_sent", _twilio("20003")),
    Journey("send page", "sending", _twilio(Fault.not_json())),
    Journey("send reset", "sending", _twilio(Fault.reset(effect_applied=True))),
    Journey("send reset", "initial_message_sent", receive_count=MAX_RECEIVE_COUNT),
)
"""In this order; the last delivery finds its message in the vendor's list."""
