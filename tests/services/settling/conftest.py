"""The event source mapping in virtual time, with a Twilio that goes by it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from twilio.rest import Client

from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioStandIn
from local.stand_ins.virtual import VirtualClock
from tests.local.stand_ins.twilio_client import twilio_client
from tests.services.channel import ACCOUNT, TEMPLATE, TOKEN, Channel
from tests.services.event_source import EventSource
from tests.services.settling.sends import ANSWER


@pytest.fixture
def virtual(
    channel: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Channel]:
    """The channel, with a Twilio that goes by the virtual time; the AI always writes the same."""
    template = "Hello {{1}}! {{2}} Reply STOP to opt out."
    with TwilioStandIn(
        accounts={ACCOUNT: TOKEN}, templates={TEMPLATE: template}, clock=clock
    ) as twilio:
        monkeypatch.setenv("TWILIO_BASE_URL", twilio.base_url)
        fault = Fault.misfit(json.dumps(ANSWER))
        channel.openai.add_rule(channel.openai.rule(fault, times=None))
        yield replace(channel, twilio=twilio)


@pytest.fixture
def source(virtual: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> EventSource:
    """The event source mapping, in virtual time."""
    return EventSource(virtual, clock, monkeypatch)


@pytest.fixture
def others(virtual: Channel) -> Client:
    """Whoever else sends from the tenant's account."""
    return twilio_client(virtual.twilio.base_url, ACCOUNT, TOKEN)
