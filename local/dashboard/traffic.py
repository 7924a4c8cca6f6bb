"""Sixty-four messages with what happens to messages: waits, refusals, outages, lost answers."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from local.contexts import example
from local.demo.failure_story import records_a_sid
from local.dynamodb_gateway import Call, Refusal
from local.stand_ins import Fault, Match, Rule
from local.vendors import StandIns
from local.world import World

COUNT = 64
PAUSE_SECONDS = 1.0
RUSH = range(20, 44)
RUSH_PAUSE_SECONDS = 0.1
"""Between two messages of the rush."""

AI_SECONDS = (0.6, 3.5)
SEND_SECONDS = (0.08, 0.6)

THROTTLED, OUTAGES, OPTED_OUT, LOST_ANSWERS, INVALID, TWICE = (
    {5, 6, 21, 22, 23, 40},
    {30, 31, 32},
    {11, 37, 52},
    {14, 45},
    {9, 28, 29, 50},
    {3, 12, 19, 33},
)
UNRECORDED, WITHOUT_MONEY = 17, 8


@dataclass(frozen=True)
class Message:
    """One message to send: how long after the beginning, its number, and its context object."""

    at: float
    number: int

    @property
    def recipient(self) -> str:
        """A made-up phone number of its own."""
        return f"+4477009003{self.number:02}"

    @property
    def conversation(self) -> str:
        """Its conversation's id."""
        return f"dashboard {self.number:02}"

    def body(self) -> str:
        """Its context object, asked for at this moment."""
        name = "bad-several-problems" if self.number in INVALID else "whatsapp"
        text = example(name, conversation_id=self.conversation, recipient=self.recipient)
        document = json.loads(text)
        request = document["frontend_payload"]["request_data"]
        request["initial_request_timestamp"] = datetime.now(UTC).isoformat()
        return json.dumps(document)


def arrange(world: World, stand_ins: StandIns) -> None:
    """Tell the vendors and the table how long they take, and when they fail."""
    random = Random(4)  # noqa: S311 - the same picture each time, no cryptography
    for message in messages():
        thinks, sends = random.uniform(*AI_SECONDS), random.uniform(*SEND_SECONDS)
        for fault in (*_ai_faults(message.number), Fault.thinking(thinks)):
            asks = replace(stand_ins.openai.usual_match(fault), contains=message.conversation)
            stand_ins.openai.fail_next(fault, match=asks)
        for fault in (*_twilio_faults(message.number), Fault.slow(sends)):
            sending = Match(method="POST", contains=message.recipient)
            stand_ins.twilio.fail_next(fault, match=sending)
    world.gateway.add_rule(
        Rule(
            fault=Refusal.ACCESS_DENIED.fault(),
            match=Match(
                paths=("/UpdateItem",), predicate=lambda call: _is_unrecorded({**call.body})
            ),
        )
    )


def messages() -> list[Message]:
    """All messages in the order in which they are sent; some are sent a second time later."""
    once = [Message(_moment(number), number) for number in range(COUNT)]
    again = [
        Message(message.at + 20, message.number) for message in once if message.number in TWICE
    ]
    return sorted([*once, *again], key=lambda message: message.at)


def _moment(number: int) -> float:
    """When a message is sent: one now and then, a rush in the middle, and again one by one."""
    if number < RUSH.start:
        return number * PAUSE_SECONDS
    begun = RUSH.start * PAUSE_SECONDS
    if number in RUSH:
        return begun + (number - RUSH.start) * RUSH_PAUSE_SECONDS
    return begun + (number - RUSH.stop + 4) * PAUSE_SECONDS


def _ai_faults(number: int) -> list[Fault]:
    if number in THROTTLED:
        return [Fault.error(429, "rate_limit_exceeded", retry_after=4)]
    if number in OUTAGES:
        return [Fault.error(500)]
    if number == WITHOUT_MONEY:
        return [Fault.error(429, "insufficient_quota")]
    return []


def _twilio_faults(number: int) -> list[Fault]:
    if number in OPTED_OUT:
        return [Fault.error(400, 21610)]
    if number in LOST_ANSWERS:
        return [Fault.reset(effect_applied=True)]
    return []


def _is_unrecorded(call: Call) -> bool:
    recipient = Message(0, UNRECORDED).recipient
    return records_a_sid(call) and call["Key"]["primary_channel"] == {"S": recipient}
