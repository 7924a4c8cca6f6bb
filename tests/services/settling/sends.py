"""Sends whose answer is lost, and what Twilio and the record then tell."""

import json

from twilio.rest import Client

from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from tests.services.channel import RECIPIENT, TEMPLATE, Channel, context
from tests.services.event_source import EventSource

SENDER, OTHER_SENDER = "whatsapp:+15550100001", "whatsapp:+15550100009"
ANSWER = {"1": "Amara", "2": "Your application has arrived, and we would like to call you."}
CREATE = Match(method="POST")


def send(client: Client, answer: dict[str, str], sender: str = SENDER) -> str:
    """Send a message by the template, from elsewhere; return its sid."""
    message = client.messages.create(
        to=f"whatsapp:{RECIPIENT}",
        from_=sender,
        content_sid=TEMPLATE,
        content_variables=json.dumps(answer),
    )
    assert message.sid
    return message.sid


def lose_the_send(source: EventSource, *, accepted: bool, body: str | None = None) -> None:
    """Deliver a message whose send is or is not accepted, and whose answer is lost."""
    source.channel.twilio.fail_next(Fault.reset(effect_applied=accepted), match=CREATE)
    source.put(body or context())
    source.clock.advance(1)
    assert 1 == source.poll()
    assert "sending" == source.channel.record()["conversation_status"]


def looks(channel: Channel) -> int:
    """How often the list was asked for."""
    return sum(call.method == "GET" for call in channel.twilio.requests)


def sends(channel: Channel) -> int:
    """How often a send was asked for."""
    return sum(call.method == "POST" for call in channel.twilio.requests)


def sent_sid(channel: Channel) -> str:
    """The sid that the record of a sent message holds."""
    record = channel.record()
    assert "initial_message_sent" == record["conversation_status"]
    return str(record["message_sid"])
