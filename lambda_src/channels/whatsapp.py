"""WhatsApp through Twilio: addresses are phone numbers prefixed with the channel's name."""

from lambda_src.core import OutgoingMessage
from lambda_src.services.twilio_channel import twilio_parts

PREFIX = "whatsapp:"


def addresses(message: OutgoingMessage) -> dict[str, str]:
    """Return a message's sender and recipient as parameters of Twilio's API."""
    return {"to": f"{PREFIX}{message.recipient}", "from_": f"{PREFIX}{message.sender}"}


PARTS = twilio_parts(addresses, prefix=PREFIX, has_template_approval=True)
