"""Running fakes, and the real SDKs as their clients."""

from collections.abc import Iterator

import pytest
from openai import DefaultHttpxClient, OpenAI
from twilio.rest import Client

from local.fakes import FakeOpenAI, FakeTwilio, OpenAISettings, TwilioSettings
from local.fakes.clock import VirtualClock
from tests.local.fakes import clients
from tests.local.fakes.clients import ACCOUNT, KEY, MODEL, OTHER_ACCOUNT, TIMEOUT, TOKEN


@pytest.fixture(scope="session")
def shared_openai() -> Iterator[FakeOpenAI]:
    """A fake of OpenAI that runs for all tests."""
    with FakeOpenAI(keys={KEY}, models=[MODEL, "model-two"]) as fake:
        yield fake


@pytest.fixture
def openai(shared_openai: FakeOpenAI) -> FakeOpenAI:
    """A running fake of OpenAI without state."""
    shared_openai.reset()
    shared_openai.settings = OpenAISettings()
    return shared_openai


@pytest.fixture(scope="session")
def http_client() -> Iterator[DefaultHttpxClient]:
    """OpenAI's HTTP client, which is slow to create."""
    with DefaultHttpxClient(timeout=TIMEOUT) as client:
        yield client


@pytest.fixture
def ai(openai: FakeOpenAI, http_client: DefaultHttpxClient) -> OpenAI:
    """OpenAI's client without retries."""
    url = openai.base_url
    return OpenAI(
        api_key=KEY, base_url=url, max_retries=0, timeout=TIMEOUT, http_client=http_client
    )


@pytest.fixture(scope="session")
def clock() -> VirtualClock:
    """The clock of the fake of Twilio."""
    return VirtualClock()


@pytest.fixture(scope="session")
def shared_twilio(clock: VirtualClock) -> Iterator[FakeTwilio]:
    """A fake of Twilio that runs for all tests."""
    templates = {clients.TEMPLATE: "Hello {{1}}! {{offer}}"}
    services = {clients.SERVICE: [clients.SENDER], clients.EMPTY: []}
    accounts = {ACCOUNT: TOKEN, OTHER_ACCOUNT: TOKEN}
    with FakeTwilio(accounts=accounts, templates=templates, services=services, clock=clock) as fake:
        yield fake


@pytest.fixture
def twilio(shared_twilio: FakeTwilio, clock: VirtualClock) -> FakeTwilio:
    """A running fake of Twilio without state, at noon, which sends messages at once."""
    shared_twilio.reset()
    shared_twilio.settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    clock.now = clients.NOON
    return shared_twilio


@pytest.fixture
def sms(twilio: FakeTwilio) -> Client:
    """Twilio's client."""
    return clients.twilio_client(twilio.base_url)
