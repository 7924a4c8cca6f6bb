"""Communication channels as data: everything in which one channel differs from another."""

from dataclasses import dataclass

from lambda_src.core.contract import EVENTS_HANDLER, HANDLER


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One communication channel.

    Attributes:
        name: As in context objects and names of queues, functions and secrets: `whatsapp`.
        display: As in the names of stacks, metrics and alarms: `WhatsApp`.
        metric_filter_part: Distinguishes the names of the channel's metric filters; empty for the
            first channel, whose filters were named before there was a second one.
        credentials_form: The documented JSON of a tenant's secret.
        handler: The processor's handler; another repository's channel has its own.
        events_handler: The events worker's handler, likewise.
        vendor: Name of the vendor that sends the messages.
    """

    name: str
    display: str
    metric_filter_part: str
    credentials_form: str
    handler: str = HANDLER
    events_handler: str = EVENTS_HANDLER
    vendor: str = "Twilio"


WHATSAPP = Channel(
    name="whatsapp",
    display="WhatsApp",
    metric_filter_part="",
    credentials_form=(
        '{"twilio_account_sid": "AC…", "twilio_auth_token": "…", '
        '"twilio_template_sid": "HX…" (optional)}'
    ),
)

SMS = Channel(
    name="sms",
    display="Sms",
    metric_filter_part="Sms",
    credentials_form=WHATSAPP.credentials_form,
)

CHANNELS = (WHATSAPP, SMS)
"""The channels of every environment; each has a stack."""
