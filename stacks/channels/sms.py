"""The channel SMS."""

from stacks.config import TWILIO_CREDENTIALS, Channel

CHANNEL = Channel(
    name="sms",
    display="Sms",
    metric_filter_part="Sms",
    credentials_form=TWILIO_CREDENTIALS,
)
