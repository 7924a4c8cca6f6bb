"""What a communication channel is, as data: all that makes one differ from the next."""

from dataclasses import dataclass

from lambda_src.core.contract import HANDLER


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One communication channel.

    Attributes:
        name: As the context object, queues, functions and secrets spell it: `whatsapp`.
        display: As stacks, metrics and alarms spell it: `WhatsApp`.
        metric_filter_part: What tells this channel's metric filters from another's; the first
            channel has none, because its filters were named before there was a second.
        credentials_form: What a tenant's secret of this channel holds, as JSON.
        handler: What Lambda calls; another repository's channel names its own.
        vendor: Who sends the messages, as people call them.
    """

    name: str
    display: str
    metric_filter_part: str
    credentials_form: str
    handler: str = HANDLER
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
"""The channels that every environment has, one stack each."""
