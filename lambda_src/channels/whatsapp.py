"""WhatsApp through Twilio: addresses are phone numbers prefixed with the channel's name."""

from dataclasses import replace

from lambda_src.core import ChannelParts, OutgoingMessage, Settings
from lambda_src.services.secrets_manager_service import twilio_credentials
from lambda_src.services.twilio.callbacks import TwilioCallbacks
from lambda_src.services.twilio_account import OPERATOR, check_with_approval, template_state
from lambda_src.services.twilio_service import (
    PRELOAD_MODULES,
    TEXT_RULES,
    TwilioSender,
    TwilioStatusLookup,
)

PREFIX = "whatsapp:"
CALLBACKS = TwilioCallbacks(PREFIX)


def addresses(message: OutgoingMessage) -> dict[str, str]:
    """Return a message's sender and recipient as parameters of Twilio's API."""
    return {"to": f"{PREFIX}{message.recipient}", "from_": f"{PREFIX}{message.sender}"}


def make_sender(settings: Settings) -> TwilioSender:
    """Return the channel's sender."""
    return TwilioSender(settings.send_timeout_seconds, settings.twilio_base_url, addresses)


def make_status_lookup(settings: Settings) -> TwilioStatusLookup:
    """Return the channel's lookup of delivery statuses."""
    return TwilioStatusLookup(settings.send_timeout_seconds, settings.twilio_base_url, CALLBACKS)


PARTS = ChannelParts(
    make_sender=make_sender,
    read_credentials=twilio_credentials,
    text_rules=TEXT_RULES,
    callbacks=CALLBACKS,
    make_status_lookup=make_status_lookup,
    template_state=template_state,
    operator=replace(OPERATOR, check_credentials=check_with_approval),
    preload_modules=PRELOAD_MODULES,
)
