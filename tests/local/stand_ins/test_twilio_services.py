"""Messages that a messaging service sends, and what an SMS costs, in the stand-in for Twilio."""

from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.stand_ins import TwilioSettings, TwilioStandIn
from tests.local.stand_ins.made_up import ACCOUNT, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client

RECIPIENT, NUMBER = "+15550100002", "+15550100001"
SERVICE, EMPTY = f"MG{'1' * 32}", f"MG{'2' * 32}"


@pytest.fixture(scope="module")
def pool() -> Iterator[TwilioStandIn]:
    """A stand-in whose account has a messaging service of one number, and one of none."""
    services = {SERVICE: [NUMBER], EMPTY: []}
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, services=services) as stand_in:
        yield stand_in


@pytest.fixture
def client(pool: TwilioStandIn) -> Client:
    """Twilio's client, of an account that sent nothing yet."""
    pool.reset()
    pool.settings = TwilioSettings()
    return twilio_client(pool.base_url, ACCOUNT, TOKEN)


def test_a_service_chooses_the_sender_when_it_sends(client: Client, pool: TwilioStandIn) -> None:
    """A new message names the service alone; once it is sent, its number too."""
    pool.settings = TwilioSettings(sent_after_seconds=60)
    sent = client.messages.create(to=RECIPIENT, messaging_service_sid=SERVICE, body="Hello")
    assert (SERVICE, None) == (sent.messaging_service_sid, sent.from_)

    pool.settings = TwilioSettings(sent_after_seconds=0)
    (listed,) = client.messages.list(to=RECIPIENT)
    assert (sent.sid, SERVICE, NUMBER) == (listed.sid, listed.messaging_service_sid, listed.from_)


@pytest.mark.parametrize(
    ("service", "code"), [("MG1", 21705), (f"MG{'9' * 32}", 21701), (EMPTY, 21704)]
)
def test_a_service_that_cannot_send_is_refused(client: Client, service: str, code: int) -> None:
    """A malformed, unknown or empty service is refused, each by its own code."""
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=RECIPIENT, messaging_service_sid=service, body="Hello")
    assert code == refused.value.code


@pytest.mark.parametrize(
    ("body", "segments", "price"),
    [("a" * 160, "1", "-0.00790"), ("a" * 161, "2", "-0.01580"), ("é" + "ж" * 70, "2", "-0.01580")],
)
def test_each_segment_is_paid(
    client: Client, pool: TwilioStandIn, body: str, segments: str, price: str
) -> None:
    """The price is known once a message is sent, and is that of its segments."""
    sent = client.messages.create(to=RECIPIENT, from_=NUMBER, body=body)
    assert (segments, None) == (sent.num_segments, sent.price)

    pool.settings = TwilioSettings(sent_after_seconds=0)
    assert price == client.messages(str(sent.sid)).fetch().price
