"""Twilio through its real SDK: one request a send, and finding what was sent."""

import socket
import time
from dataclasses import replace

import pytest

from lambda_src.channels.whatsapp import addresses
from lambda_src.core.errors import CredentialsRefused, PermanentFailure, TransientFailure
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.services.secret_forms import TwilioCredentials
from lambda_src.services.twilio_service import TwilioSender
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings, TwilioStandIn
from tests.services.channel import ACCOUNT, RECIPIENT, TEMPLATE, TOKEN
from tests.services.raw_server import RawServer, json_answer

CREDENTIALS = TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE)
TEXT = OutgoingMessage("+15550100001", RECIPIENT, body="Good morning from Harbour Logistics.")
BY_TEMPLATE = OutgoingMessage(
    "+15550100001",
    RECIPIENT,
    template_sid=TEMPLATE,
    variables={"1": "Amara", "2": "Your application has arrived."},
)


@pytest.fixture
def sender(twilio: TwilioStandIn) -> TwilioSender:
    """The adapter, with two seconds for a request."""
    return TwilioSender(2.0, twilio.base_url, addresses)


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
        Fault.error(500, 63012, effect_applied=True),
        Fault.hang(),
        Fault.reset(),
        Fault.empty(),
        Fault.not_json(502),
        Fault.not_json(200, effect_applied=True),
    ],
    ids=[
        "500",
        "503",
        "500 with a code of a retry",
        "hang",
        "reset",
        "empty",
        "bad gateway",
        "page of HTML",
    ],
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
        sender = TwilioSender(2.0, f"http://127.0.0.1:{unused.getsockname()[1]}", addresses)

        with pytest.raises(TransientFailure, match="twilio_unreachable"):
            sender.send(CREDENTIALS, TEXT)


@pytest.mark.parametrize("message", [TEXT, BY_TEMPLATE], ids=["free text", "template"])
def test_finds_its_message_among_others(sender: TwilioSender, message: OutgoingMessage) -> None:
    """Among other messages to the same recipient, the one with that text is found."""
    since = time.time()
    sender.send(CREDENTIALS, replace(TEXT, body="Something else."))
    other = {"1": "Amara", "2": "Another message to the same person."}
    sender.send(CREDENTIALS, replace(BY_TEMPLATE, variables=other))
    sid = sender.send(CREDENTIALS, message)
    looked_for = replace(message, template_sid="")

    assert (sid,) == sender.find(CREDENTIALS, looked_for, since=since)


def test_finds_all_of_one_text_the_oldest_first(
    sender: TwilioSender, twilio: TwilioStandIn
) -> None:
    """Which of several equal messages is meant, others decide."""
    twilio.settings = TwilioSettings(sent_after_seconds=0)  # lists show them newest first
    since = time.time()
    sids = [sender.send(CREDENTIALS, TEXT) for _ in range(4)]

    assert tuple(sids) == sender.find(CREDENTIALS, TEXT, since=since)


def test_message_of_before_is_not_found(sender: TwilioSender) -> None:
    """A message of the same text that is older than the intent is not the one."""
    sender.send(CREDENTIALS, TEXT)

    later = time.time() + 60
    assert () == sender.find(CREDENTIALS, TEXT, since=later)


def test_older_message_that_was_sent_later_hides_nothing() -> None:
    """The list goes by when messages were sent: one of before the intent may stand ahead."""
    now = [1_000_000.0]
    settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    with TwilioStandIn(
        accounts={ACCOUNT: TOKEN}, settings=settings, clock=lambda: now[0]
    ) as twilio:
        sender = TwilioSender(2.0, twilio.base_url, addresses)
        sender.send(CREDENTIALS, TEXT)
        now[0] += 50
        sid = sender.send(CREDENTIALS, TEXT)
        now[0] += 11  # the first is sent, the second still waits

        assert (sid,) == sender.find(CREDENTIALS, TEXT, since=now[0] - 20)


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
        sender.find(CREDENTIALS, TEXT, since=0)


def test_list_tells_of_refused_credentials(sender: TwilioSender) -> None:
    """So that the look is made again with a secret freshly read."""
    with pytest.raises(CredentialsRefused, match="twilio_20003"):
        sender.find(replace(CREDENTIALS, auth_token="rotated"), TEXT, since=0)


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code"),
    [
        (400, {"code": "To +15550100999"}, PermanentFailure, "twilio_400"),
        (400, {"code": 15550100999}, PermanentFailure, "twilio_400"),
        (400, [1], PermanentFailure, "twilio_400"),
        (500, {"code": 30001}, SendOutcomeUnknown, "twilio_30001"),
        (
            400,
            {"type": "t", "title": "t", "status": "To +15550100999", "code": "x"},
            SendOutcomeUnknown,
            "twilio_0",
        ),
        (201, None, SendOutcomeUnknown, "twilio_answer_lost"),
        (201, [], SendOutcomeUnknown, "twilio_answer_lost"),
        (201, "text", SendOutcomeUnknown, "twilio_answer_lost"),
        (201, {"sid": None}, SendOutcomeUnknown, "twilio_answer_without_sid"),
    ],
)
def test_odd_answers_are_judged_without_their_text(
    status: int, answer: object, kind: type[Exception], code: str
) -> None:
    """Whatever stands where a code or a message should: an error of ours, without a word of it."""
    with RawServer(json_answer(answer, status)) as server, pytest.raises(kind) as raised:
        TwilioSender(2.0, server.base_url, addresses).send(CREDENTIALS, TEXT)

    assert str(raised.value).startswith(f"{code} at send")
    assert "+1555" not in repr(raised.value)
