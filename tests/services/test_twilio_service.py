"""Twilio through its real SDK: one request per send, bounded in time, and lookups."""

import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from lambda_src.channels import sms
from lambda_src.channels.whatsapp import addresses
from lambda_src.core.contract import Step
from lambda_src.core.errors import (
    CredentialsRefused,
    PermanentFailure,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.models import OutgoingMessage
from lambda_src.services.secrets_manager_service import TwilioCredentials
from lambda_src.services.twilio import http
from lambda_src.services.twilio.http import DeadlineHttpClient
from lambda_src.services.twilio_service import TwilioSender
from local.fakes.clock import VirtualClock
from local.fakes.faults import Fault, Match
from local.fakes.twilio import FakeTwilio, TwilioSettings
from tests.support.aws_account import fake_twilio
from tests.support.channel import ACCOUNT, RECIPIENT, TEMPLATE, TOKEN
from tests.support.servers import RawServer, http_answer, json_answer

CREDENTIALS = TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE)
NUMBER, SERVICE, OTHER_SERVICE = "+15550100001", f"MG{'1' * 32}", f"MG{'2' * 32}"
TEXT = OutgoingMessage(NUMBER, RECIPIENT, body="Good morning from Harbour Logistics.")
BY_TEMPLATE = OutgoingMessage(
    NUMBER,
    RECIPIENT,
    template_id=TEMPLATE,
    variables={"1": "Amara", "2": "Your application has arrived."},
)
ACCEPTED = json_answer({"sid": "SM1"}, status=201)
each_kind = pytest.mark.parametrize("message", [TEXT, BY_TEMPLATE], ids=["free text", "template"])


def _sender_to(base_url: str, timeout: float = 2.0) -> TwilioSender:
    return TwilioSender(timeout, base_url, addresses)


@pytest.fixture
def sender(twilio: FakeTwilio) -> TwilioSender:
    """The adapter, with two seconds for a request."""
    return _sender_to(twilio.base_url)


@each_kind
def test_a_send_is_one_request(
    sender: TwilioSender, twilio: FakeTwilio, message: OutgoingMessage
) -> None:
    """Its sid is that of the one message."""
    sid = sender.send(CREDENTIALS, message)
    assert [sid] == [sent["sid"] for sent in twilio.messages()]
    assert 1 == len(twilio.requests)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error(500), Fault.error(503, 20503), Fault.error(500, 63012, effect_applied=True),
        Fault.hang(), Fault.reset(), Fault.empty(), Fault.not_json(502),
        Fault.not_json(200, effect_applied=True),
    ],
    ids=["500", "503", "retryable code", "hang", "reset", "empty", "bad gateway", "HTML page"],
)  # fmt: skip
def test_a_failed_send_is_not_repeated(
    sender: TwilioSender, twilio: FakeTwilio, fault: Fault
) -> None:
    """Its outcome is unknown."""
    twilio.fail_next(fault)
    with pytest.raises(SendOutcomeUnknown):
        sender.send(CREDENTIALS, TEXT)
    assert 1 == len(twilio.requests)


PROBLEM = {"type": "t", "title": "t", "status": "To +15550100999", "code": "x"}


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code"),
    [
        (400, {"code": "To +15550100999"}, PermanentFailure, "twilio_400"),
        (400, {"code": 15550100999}, PermanentFailure, "twilio_400"),
        (400, [1], PermanentFailure, "twilio_400"),
        (500, {"code": 30001}, SendOutcomeUnknown, "twilio_30001"),
        (400, PROBLEM, SendOutcomeUnknown, "twilio_0"),
        (201, None, SendOutcomeUnknown, "twilio_answer_lost"),
        (201, [], SendOutcomeUnknown, "twilio_answer_lost"),
        (201, "text", SendOutcomeUnknown, "twilio_answer_lost"),
        (201, {"sid": None}, SendOutcomeUnknown, "twilio_answer_without_sid"),
    ],
)
def test_unusual_answers_are_classified_without_their_text(
    status: int, answer: object, kind: type[Exception], code: str
) -> None:
    """Whatever is in the place of a code or a message."""
    with RawServer(json_answer(answer, status)) as server, pytest.raises(kind) as raised:
        _sender_to(server.base_url).send(CREDENTIALS, TEXT)
    assert str(raised.value).startswith(f"{code} at send")
    assert "+1555" not in repr(raised.value)


# --- the HTTP client


def test_each_request_on_a_connection_has_the_whole_timeout() -> None:
    """The time of one is not taken from the next."""
    with RawServer(ACCEPTED[:20], ACCEPTED[20:], pause=0.3) as server:
        sender = _sender_to(server.base_url)
        assert ["SM1"] * 4 == [sender.send(CREDENTIALS, TEXT) for _ in range(4)]
    assert 1 == server.connections


def test_no_cookie_is_kept() -> None:
    """The client serves every tenant."""
    with RawServer(http_answer(201, b'{"sid": "SM1"}', "Set-Cookie: tenant=one; Path=/")) as server:
        sender = _sender_to(server.base_url)
        for _ in range(2):
            sender.send(CREDENTIALS, TEXT)
    assert 2 == len(server.headers)
    assert "cookie" not in "".join(server.headers).lower()


def test_a_body_is_sent_in_the_form_that_the_sdk_names() -> None:
    """Most resources take a form, some of them JSON."""
    with RawServer(json_answer({})) as server:
        client = DeadlineHttpClient(2.0, server.base_url)
        for kind in ("application/x-www-form-urlencoded", "application/json"):
            client.request("POST", "/", data={"Body": "é"}, headers={"Content-Type": kind})
    assert [b"Body=%C3%A9", b'{"Body": "\\u00e9"}'] == server.bodies


def long_idle() -> Any:
    """Let connections have been idle for too long, inside the context."""
    later = time.monotonic() + http.MAX_IDLE_SECONDS + 1
    return patch("lambda_src.services.twilio.http.time.monotonic", return_value=later)


def test_idle_connections_are_closed_by_one_thread() -> None:
    """A second would close what the first has begun to use."""
    client = DeadlineHttpClient(2.0, "")
    with patch.object(client._adapter, "close") as close, long_idle():
        with ThreadPoolExecutor(10) as pool:
            for _ in range(10):
                pool.submit(client._close_idle_connections)
        close.assert_called_once()


def test_an_earlier_requests_error_does_not_classify_this_one() -> None:
    """The cause of the error before it belongs to that request."""
    with RawServer(json_answer([], status=201)) as server:
        try:
            raise CredentialsRefused("twilio_401", Step.SEND) from ssl.SSLCertVerificationError()  # noqa: TRY301 - the error before
        except CredentialsRefused:
            with pytest.raises(SendOutcomeUnknown):
                _sender_to(server.base_url).send(CREDENTIALS, TEXT)


# --- lookups


@each_kind
def test_a_message_is_found_among_others(sender: TwilioSender, message: OutgoingMessage) -> None:
    """By text and sender, among others to the recipient; not if it is older than the intent."""
    since = time.time()
    sender.send(CREDENTIALS, replace(TEXT, body="Something else."))
    other = {"1": "Amara", "2": "Another message to the same person."}
    sender.send(CREDENTIALS, replace(BY_TEMPLATE, variables=other))
    sender.send(CREDENTIALS, replace(message, sender="+15550100009"))
    sid = sender.send(CREDENTIALS, message)
    wanted = replace(message, template_id="")
    assert (sid,) == sender.find(CREDENTIALS, wanted, since=since)
    assert () == sender.find(CREDENTIALS, wanted, since=time.time() + 60)


def test_an_undelivered_message_is_found_on_any_page(
    sender: TwilioSender, twilio: FakeTwilio
) -> None:
    """It was accepted and has a sid; the list is read to its end, however small its pages are."""
    twilio.settings = TwilioSettings(sent_after_seconds=0, max_page_size=2)  # a stable order
    twilio.fail_next(Fault.undelivered(63016))
    sids = [sender.send(CREDENTIALS, replace(TEXT, body=f"Text {n}.")) for n in range(5)]
    found = [
        sender.find(CREDENTIALS, replace(TEXT, body=f"Text {number}."), since=0)
        for number in range(5)
    ]
    assert [(sid,) for sid in sids] == found


def test_equal_messages_are_found_oldest_first(sender: TwilioSender, twilio: FakeTwilio) -> None:
    """The reconciliation assigns them."""
    twilio.settings = TwilioSettings(sent_after_seconds=0)  # lists show them newest first
    since = time.time()
    sids = [sender.send(CREDENTIALS, TEXT) for _ in range(4)]
    assert tuple(sids) == sender.find(CREDENTIALS, TEXT, since=since)


def test_an_older_message_sent_later_hides_nothing() -> None:
    """The list is sorted by the time of sending: a message from before the intent may precede."""
    clock = VirtualClock()
    with fake_twilio(clock) as twilio:
        twilio.settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
        sender = _sender_to(twilio.base_url)
        sender.send(CREDENTIALS, TEXT)
        clock.advance(50)
        sid = sender.send(CREDENTIALS, TEXT)
        clock.advance(11)  # the first is sent, the second still waits
        assert (sid,) == sender.find(CREDENTIALS, TEXT, since=clock() - 20)


@pytest.mark.parametrize(
    "fault",
    [Fault.error(404), Fault.error(500), Fault.empty(), Fault.not_json(200), Fault.reset()],
    ids=["404", "500", "empty", "HTML page", "reset"],
)
def test_an_error_of_the_list_is_transient(
    sender: TwilioSender, twilio: FakeTwilio, fault: Fault
) -> None:
    """It resolves nothing and refuses nothing."""
    twilio.fail_next(fault, match=Match(method="GET"))
    with pytest.raises(TransientFailure):
        sender.find(CREDENTIALS, TEXT, since=0)


def test_a_lookup_reports_refused_credentials(sender: TwilioSender) -> None:
    """So that it is repeated with a freshly read secret."""
    with pytest.raises(CredentialsRefused, match="twilio_20003"):
        sender.find(replace(CREDENTIALS, auth_token="rotated"), TEXT, since=0)


# --- SMS


@pytest.fixture
def pooled() -> Iterator[FakeTwilio]:
    """Twilio with two messaging services that send from one number."""
    services = {SERVICE: [NUMBER], OTHER_SERVICE: [NUMBER]}
    with FakeTwilio(accounts={ACCOUNT: TOKEN}, services=services) as twilio:
        yield twilio


@pytest.mark.parametrize("source", [NUMBER, SERVICE])
def test_an_sms_is_not_mistaken_for_a_whatsapp_message(pooled: FakeTwilio, source: str) -> None:
    """One phone, one text, two channels: neither finds the other's message."""
    by_sms = TwilioSender(2.0, pooled.base_url, sms.addresses, sms.REFUSALS)
    by_whatsapp = _sender_to(pooled.base_url)
    message = replace(TEXT, sender=source)
    theirs = by_whatsapp.send(CREDENTIALS, TEXT)
    assert () == by_sms.find(CREDENTIALS, message, since=0)
    ours = by_sms.send(CREDENTIALS, message)
    assert (theirs,) == by_whatsapp.find(CREDENTIALS, TEXT, since=0)
    assert (ours,) == by_sms.find(CREDENTIALS, message, since=0)
    (shown,) = [shown for shown in pooled.inbox(RECIPIENT) if shown.application == "SMS"]
    assert (NUMBER, TEXT.body) == (shown.sender, shown.body)


def test_another_services_message_is_not_found(pooled: FakeTwilio) -> None:
    """Although the two services share a number."""
    by_sms = TwilioSender(2.0, pooled.base_url, sms.addresses, sms.REFUSALS)
    by_sms.send(CREDENTIALS, replace(TEXT, sender=OTHER_SERVICE))
    assert () == by_sms.find(CREDENTIALS, replace(TEXT, sender=SERVICE), since=0)
