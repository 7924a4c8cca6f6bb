"""The fake of Twilio's messaging API."""

from local.fakes.twilio.callbacks import SentCallback
from local.fakes.twilio.messages import TwilioSettings
from local.fakes.twilio.service import FakeTwilio

__all__ = ["FakeTwilio", "SentCallback", "TwilioSettings"]
