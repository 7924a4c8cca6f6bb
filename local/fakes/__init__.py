"""Stateful, strict fakes of the vendors' APIs, which the real SDKs call over loopback HTTP."""

from local.fakes.faults import Fault, FaultKind, Match, RecordedRequest, Rule
from local.fakes.openai import FakeOpenAI, OpenAISettings
from local.fakes.service import FakeService, InboxMessage
from local.fakes.ses import FakeSes, SentEvent, SesSettings
from local.fakes.twilio import FakeTwilio, SentCallback, TwilioSettings

__all__ = [
    "FakeOpenAI",
    "FakeService",
    "FakeSes",
    "FakeTwilio",
    "Fault",
    "FaultKind",
    "InboxMessage",
    "Match",
    "OpenAISettings",
    "RecordedRequest",
    "Rule",
    "SentCallback",
    "SentEvent",
    "SesSettings",
    "TwilioSettings",
]
