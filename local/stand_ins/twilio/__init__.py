"""Stand-in for Twilio's messaging API."""

from local.stand_ins.twilio.messages import PhoneMessage
from local.stand_ins.twilio.settings import TwilioSettings
from local.stand_ins.twilio.stand_in import TwilioStandIn

__all__ = ["PhoneMessage", "TwilioSettings", "TwilioStandIn"]
