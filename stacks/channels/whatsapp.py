"""The channel WhatsApp."""

from stacks.config import TWILIO_CREDENTIALS, Channel

CHANNEL = Channel(
    name="whatsapp",
    display="WhatsApp",
    metric_filter_part="",
    credentials_form=TWILIO_CREDENTIALS,
    has_template_approval=True,
)
