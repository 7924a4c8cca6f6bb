"""Twilio through its real SDK: one request a send, and finding what was sent."""

import socket
import time
from dataclasses import replace

import pytest

from lambda_src.core.errors import SendOutcomeUnknown, TransientFailure
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.ports import TwilioCredentials
from lambda_src.services import twilio_service
from lambda_src.services.twilio_service import TwilioSender
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioStandIn
from tests.services.channel import ACCOUNT, RECIPIENT, TEMPLATE, TOKEN

CREDENTIALS = TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE)
TEXT = OutgoingMessage("+15550100001", RECIPIENT, body="Good morning from Harbour Logistics.")
BY_TEMPLATE = OutgoingMessage(
    "+15550100001",
    RECIPIENT,
    template_sid=TEMPLATE,
    variables={"1": "Amara", "2": "Your application has arrived."},
)


def nothing_taken() -> frozenset[str]:
    """No sid is recorded by another conversation."""
    return frozenset()


@pytest.fixture
def sender(twilio: TwilioStandIn) -> TwilioSender:
    """The adapter, with two seconds for a request."""
    return TwilioSender(2.0, twilio.base_url)


@pytest.mark.parametrize("message", [TEXT, BY_TEMPLATE], ids=["free text", "template"])
def test_sends_with_one_request(
    sender: TwilioSender, twilio: TwilioStandIn, message: OutgoingMessage
) -> None:
    """A send is one request, and its sid that of the one message on the phone."""
    sid = sender.send(CREDENTIALS, message)

    assert [sid] == [sent["sid"] for sent in twilio.messages()]
    assert 1 == len(twilio.requests)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error(500),
        Fault.error(503, 20503),
        Fault.hang(),
        Fault.reset(),
        Fault.empty(),
        Fault.not_json(502),
        Fault.not_json(200, effect_applied=True),
    ],
    ids=["500", "503", "hang", "reset", "empty", "bad gateway", "page of HTML"],
)
def test_failed_send_is_not_repeated(
    sender: TwilioSender, twilio: TwilioStandIn, fault: Fault
) -> None:
    """Whatever happens to it, a request is made once; its outcome is unknown."""
    twilio.fail_next(fault)

    with pytest.raises(SendOutcomeUnknown):
        sender.send(CREDENTIALS, TEXT)

    assert 1 == len(twilio.requests)


def test_no_connection_is_certainly_not_sent() -> None:
    """Where nobody listens nothing was sent, and it may be tried again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        sender = TwilioSender(2.0, f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(TransientFailure, match="twilio_unreachable"):
            sender.send(CREDENTIALS, TEXT)


def test_idle_connection_is_not_used_again(
    sender: TwilioSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that idled for long is closed first: a reset on it would say nothing."""
    sender.send(CREDENTIALS, TEXT)
    session = sender._http_client.session
    assert session is not None
    pools = session.get_adapter("http://").poolmanager.pools  # type: ignore[attr-defined]
    assert 1 == len(pools)
    later = time.monotonic() + twilio_service.IDLE_SECONDS + 1
    monkeypatch.setattr("lambda_src.services.twilio_service.time.monotonic", lambda: later)
    monkeypatch.setattr(session, "send", lambda *_, **__: pytest.fail(f"{len(pools)} left"))

    with pytest.raises(pytest.fail.Exception, match="0 left"):
        sender.send(CREDENTIALS, TEXT)


@pytest.mark.parametrize("message", [TEXT, BY_TEMPLATE], ids=["free text", "template"])
def test_finds_its_message_among_others(sender: TwilioSender, message: OutgoingMessage) -> None:
    """Among other messages to the same recipient, the one with that text is found."""
    since = time.time()
    sender.send(CREDENTIALS, replace(TEXT, body="Something else."))
    other = {"1": "Amara", "2": "Another message."}
    sender.send(CREDENTIALS, replace(BY_TEMPLATE, variables=other))
    sid = sender.send(CREDENTIALS, message)
    looked_for = replace(message, template_sid="")

    assert sid == sender.find(CREDENTIALS, looked_for, since=since, exclude=nothing_taken)


def test_message_of_before_is_not_found(sender: TwilioSender) -> None:
    """A message of the same text that is older than the intent is not the one."""
    sender.send(CREDENTIALS, TEXT)

    later = time.time() + 60
    assert sender.find(CREDENTIALS, TEXT, since=later, exclude=nothing_taken) is None


def test_message_that_another_conversation_recorded_is_not_found(sender: TwilioSender) -> None:
    """A sid that is taken is no candidate; the next message of that text is."""
    since = time.time()
    first = sender.send(CREDENTIALS, TEXT)
    second = sender.send(CREDENTIALS, TEXT)

    found = sender.find(CREDENTIALS, TEXT, since=since, exclude=lambda: frozenset({first}))

    assert second == found


@pytest.mark.parametrize(
    "fault",
    [Fault.error(404), Fault.error(500), Fault.empty(), Fault.not_json(200), Fault.reset()],
    ids=["404", "500", "empty", "page of HTML", "reset"],
)
def test_error_of_the_list_is_transient(
    sender: TwilioSender, twilio: TwilioStandIn, fault: Fault
) -> None:
    """A list that cannot be read settles nothing and refuses nothing."""
    twilio.fail_next(fault, match=Match(method="GET"))

    with pytest.raises(TransientFailure):
        sender.find(CREDENTIALS, TEXT, since=0, exclude=nothing_taken)
