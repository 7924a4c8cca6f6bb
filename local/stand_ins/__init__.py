"""Stateful, strict stand-ins for the vendors, which the real SDKs talk to over loopback HTTP."""

from local.stand_ins.calls import RecordedCall
from local.stand_ins.fault_plan import Match, Rule
from local.stand_ins.faults import Fault, FaultKind
from local.stand_ins.openai import OpenAISettings, OpenAIStandIn
from local.stand_ins.stand_in import StandIn
from local.stand_ins.twilio import PhoneMessage, TwilioSettings, TwilioStandIn

__all__ = [
    "Fault",
    "FaultKind",
    "Match",
    "OpenAISettings",
    "OpenAIStandIn",
    "PhoneMessage",
    "RecordedCall",
    "Rule",
    "StandIn",
    "TwilioSettings",
    "TwilioStandIn",
]
