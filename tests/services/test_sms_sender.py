"""SMS over HTTP: sent from a number or a service, and told from WhatsApp to the same phone."""

from collections.abc import Iterator

import pytest

from lambda_src.channels import sms, whatsapp
from lambda_src.core.message import OutgoingMessage
from lambda_src.services.secret_forms import TwilioCredentials
from lambda_src.services.twilio_service import TwilioSender
from local.stand_ins.twilio import TwilioStandIn
from tests.services.channel import ACCOUNT, RECIPIENT, TOKEN

CREDENTIALS = TwilioCredentials(ACCOUNT, TOKEN, None)
NUMBER, SERVICE, OTHER_SERVICE = "+15550100001", f"MG{'1' * 32}", f"MG{'2' * 32}"
TEXT = "Hi Amara! When would be a good time to talk?"
SENDERS = (NUMBER, SERVICE)


@pytest.fixture(scope="module")
def pooled() -> Iterator[TwilioStandIn]:
    """Twilio on loopback, with two messaging services that send from one number."""
    services = {SERVICE: [NUMBER], OTHER_SERVICE: [NUMBER]}
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, services=services) as stand_in:
        yield stand_in


@pytest.fixture
def twilio(pooled: TwilioStandIn) -> TwilioStandIn:
    """The same, without messages."""
    pooled.reset()
    return pooled


def _sender(twilio: TwilioStandIn) -> TwilioSender:
    return TwilioSender(2.0, twilio.base_url, sms.addresses, sms.REFUSALS)


def _message(sender: str) -> OutgoingMessage:
    return OutgoingMessage(sender, RECIPIENT, body=TEXT)


@pytest.mark.parametrize("sender", SENDERS)
def test_what_was_sent_is_found(twilio: TwilioStandIn, sender: str) -> None:
    """A message is found again by its sid, whoever sent it for us."""
    sid = _sender(twilio).send(CREDENTIALS, _message(sender))

    assert (sid,) == _sender(twilio).find(CREDENTIALS, _message(sender), since=0)
    (shown,) = twilio.phone(RECIPIENT)
    assert ("SMS", NUMBER, TEXT) == (shown.application, shown.number, shown.body)


@pytest.mark.parametrize("sender", SENDERS)
def test_the_same_text_by_whatsapp_is_not_taken(twilio: TwilioStandIn, sender: str) -> None:
    """One phone, one text, two channels: neither settles the other's message."""
    by_whatsapp = TwilioSender(2.0, twilio.base_url, whatsapp.addresses)
    theirs = by_whatsapp.send(CREDENTIALS, _message(NUMBER))

    assert () == _sender(twilio).find(CREDENTIALS, _message(sender), since=0)
    ours = _sender(twilio).send(CREDENTIALS, _message(sender))
    assert (theirs,) == by_whatsapp.find(CREDENTIALS, _message(NUMBER), since=0)
    assert (ours,) == _sender(twilio).find(CREDENTIALS, _message(sender), since=0)


def test_another_services_message_is_not_taken(twilio: TwilioStandIn) -> None:
    """Two services that share a number are told apart."""
    _sender(twilio).send(CREDENTIALS, _message(OTHER_SERVICE))

    assert () == _sender(twilio).find(CREDENTIALS, _message(SERVICE), since=0)
