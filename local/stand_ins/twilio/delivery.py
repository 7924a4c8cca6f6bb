"""How far a message has come: queued, sent, delivered or undelivered."""

from dataclasses import dataclass

from local.stand_ins.twilio.messages import Message
from local.stand_ins.twilio.settings import TwilioSettings


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a message stands.

    Attributes:
        status: Twilio's word for it.
        updated: When it got there, in seconds since the epoch.
        sent: When it was sent; None before.
        error_code: Why it was not delivered, if it was not.
    """

    status: str
    updated: float
    sent: float | None = None
    error_code: int | None = None


def progress(message: Message, now: float, settings: TwilioSettings) -> Progress:
    """Where a message stands.

    Args:
        message: The message.
        now: Seconds since the epoch.
        settings: When messages are sent and delivered.
    """
    age = now - message.created
    sent = message.created + settings.sent_after_seconds
    if age < settings.sent_after_seconds:
        return Progress("queued", message.created)
    if age < settings.delivered_after_seconds:
        return Progress("sent", sent, sent)
    status = "delivered" if message.late_error is None else "undelivered"
    delivered = message.created + settings.delivered_after_seconds
    return Progress(status, delivered, sent, message.late_error)
