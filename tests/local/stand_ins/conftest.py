"""Running stand-ins, and the real SDKs as their clients."""

import warnings
from collections.abc import Iterator

import pytest
from openai import DefaultHttpxClient, OpenAI
from openai.types.beta import Thread
from twilio.rest import Client

from local.stand_ins import OpenAISettings, OpenAIStandIn, TwilioSettings, TwilioStandIn
from tests.local.stand_ins.made_up import ACCOUNT, KEY, MODEL, TEMPLATE, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client


@pytest.fixture(scope="session")
def shared_openai() -> Iterator[OpenAIStandIn]:
    """A stand-in for OpenAI that runs for all tests."""
    with OpenAIStandIn(keys={KEY}, models=[MODEL, "model-two"]) as stand_in:
        yield stand_in


@pytest.fixture
def openai(shared_openai: OpenAIStandIn) -> OpenAIStandIn:
    """A running stand-in for OpenAI, as if new."""
    shared_openai.reset()
    shared_openai.settings = OpenAISettings()
    return shared_openai


@pytest.fixture(scope="session")
def http_client() -> Iterator[DefaultHttpxClient]:
    """OpenAI's HTTP client, which takes long to make."""
    with DefaultHttpxClient(timeout=5) as client:
        yield client


@pytest.fixture
def ai(openai: OpenAIStandIn, http_client: DefaultHttpxClient) -> OpenAI:
    """OpenAI's client, without retries."""
    return OpenAI(
        api_key=KEY, base_url=openai.base_url, max_retries=0, timeout=5, http_client=http_client
    )


@pytest.fixture
def thread(ai: OpenAI) -> Thread:
    """A thread with a message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        prompt = "Company name: Harbour Logistics\nFirst name: Ada"
        return ai.beta.threads.create(messages=[{"role": "user", "content": prompt}])


@pytest.fixture(scope="session")
def shared_twilio() -> Iterator[TwilioStandIn]:
    """A stand-in for Twilio that runs for all tests."""
    templates = {TEMPLATE: "Hello {{1}}! {{offer}}"}
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, templates=templates) as stand_in:
        yield stand_in


@pytest.fixture
def twilio(shared_twilio: TwilioStandIn) -> TwilioStandIn:
    """A running stand-in for Twilio, as if new."""
    shared_twilio.reset()
    shared_twilio.settings = TwilioSettings()
    return shared_twilio


@pytest.fixture
def sms(twilio: TwilioStandIn) -> Client:
    """Twilio's client."""
    return twilio_client(twilio.base_url, ACCOUNT, TOKEN)
