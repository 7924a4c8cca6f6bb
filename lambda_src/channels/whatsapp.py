"""WhatsApp through Twilio: addresses are phone numbers behind the channel's name."""

from lambda_src.core.channel_parts import ChannelParts
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.settings import Settings
from lambda_src.services.secret_forms import twilio_credentials
from lambda_src.services.twilio_service import IMPORTED_LATE, TwilioSender


def addresses(message: OutgoingMessage) -> dict[str, str]:
    """Whom a message is from and to, as Twilio's API calls it."""
    return {"to": f"whatsapp:{message.recipient}", "from_": f"whatsapp:{message.sender}"}


def make_sender(settings: Settings) -> TwilioSender:
    """The channel's sender."""
    return TwilioSender(settings.twilio_timeout_seconds, settings.twilio_base_url, addresses)


PARTS = ChannelParts(
    make_sender=make_sender,
    read_credentials=twilio_credentials,
    imported_late=IMPORTED_LATE,
)
