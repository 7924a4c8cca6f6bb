"""Running fakes, and the real SDKs as their clients."""

from collections.abc import Iterator

import pytest
from openai import OpenAI
from twilio.rest import Client

from local.fakes import FakeOpenAI, FakeTwilio, OpenAISettings, TwilioSettings
from local.fakes.clock import VirtualClock
from tests.local.fakes import clients
from tests.local.fakes.clients import ACCOUNT, KEY, MODEL, OTHER_ACCOUNT, TIMEOUT, TOKEN


@pytest.fixture(scope="session")
def openai() -> Iterator[FakeOpenAI]:
    """A running fake of OpenAI."""
    with FakeOpenAI(keys={KEY}, models=[MODEL, "model-two"]) as fake:
        yield fake


@pytest.fixture(scope="session")
def ai(openai: FakeOpenAI) -> Iterator[OpenAI]:
    """OpenAI's client without retries."""
    url = openai.base_url
    with OpenAI(api_key=KEY, base_url=url, max_retries=0, timeout=TIMEOUT) as client:
        yield client


@pytest.fixture(scope="session")
def clock() -> VirtualClock:
    """The clock of the fake of Twilio."""
    return VirtualClock()


@pytest.fixture(scope="session")
def twilio(clock: VirtualClock) -> Iterator[FakeTwilio]:
    """A running fake of Twilio."""
    templates = {clients.TEMPLATE: "Hello {{1}}! {{offer}}"}
    services = {clients.SERVICE: [clients.SENDER], clients.EMPTY: []}
    accounts = {ACCOUNT: TOKEN, OTHER_ACCOUNT: TOKEN}
    with FakeTwilio(accounts=accounts, templates=templates, services=services, clock=clock) as fake:
        yield fake


@pytest.fixture(scope="session")
def sms(twilio: FakeTwilio) -> Client:
    """Twilio's client."""
    return clients.twilio_client(twilio.base_url)


@pytest.fixture(autouse=True)
def _reset(openai: FakeOpenAI, twilio: FakeTwilio, clock: VirtualClock) -> None:
    """Clear the fakes' state; Twilio's time is noon, and it sends messages at once."""
    openai.reset()
    openai.settings = OpenAISettings()
    twilio.reset()
    twilio.settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    clock.now = clients.NOON
