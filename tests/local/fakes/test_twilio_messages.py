"""Messages at the fake of Twilio: format, delivery, price, credentials and validation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.fakes import FakeTwilio, TwilioSettings
from local.fakes.clock import VirtualClock
from local.fakes.twilio.messages import segment_count
from local.fakes.twilio.requests import SUPPORTED
from tests.local.fakes.clients import (
    ACCOUNT,
    EMPTY,
    NOON,
    OTHER_ACCOUNT,
    RECIPIENT,
    SENDER,
    SERVICE,
    TEMPLATE,
    TOKEN,
    twilio_client,
)

INVALID_VALUES = ("", " ", None, 5, "two\nlines", "a\ttab", "too     far")
PLAIN = {"to": "+15550100002", "from_": "+15550100001"}


def _template(variables: object) -> dict[str, str]:
    content = variables if isinstance(variables, str) else json.dumps(variables)
    return {"content_sid": TEMPLATE, "content_variables": content}


def _send(client: Client, **parameters: Any) -> Any:
    return client.messages.create(**({"to": RECIPIENT, "from_": SENDER} | parameters))


def _rejection(client: Client, **parameters: Any) -> tuple[int, int | None]:
    with pytest.raises(TwilioRestException) as rejected:
        _send(client, **parameters)
    return rejected.value.status, rejected.value.code


def test_a_template_message_has_its_rendered_text(twilio: FakeTwilio, sms: Client) -> None:
    """A message from a template is rendered in the response, when fetched and in the inbox."""
    sent = _send(sms, **_template({"1": "Ada", "offer": "Shall we talk?"}))
    text = "Hello Ada! Shall we talk?"
    assert [text, text] == [sent.body, sms.messages(sent.sid).fetch().body]
    assert [text] == [message.body for message in twilio.inbox("+15550100002")]


def test_a_message_has_twilios_format(sms: Client) -> None:
    """A new message is queued, with Twilio's kinds of identifier, date and default."""
    sent = _send(sms, body="Hello")
    assert ("SM", 34) == (sent.sid[:2], len(sent.sid))
    assert (RECIPIENT, SENDER, ACCOUNT) == (sent.to, sent.from_, sent.account_sid)
    assert ("outbound-api", "1", "0") == (str(sent.direction), sent.num_segments, sent.num_media)
    assert datetime.fromtimestamp(NOON, UTC) == sent.date_created
    assert sent.error_code is None


def test_a_message_goes_from_queued_to_sent_to_delivered(
    twilio: FakeTwilio, sms: Client, clock: VirtualClock
) -> None:
    """Time turns a queued message into a sent and then into a delivered one."""
    twilio.settings = TwilioSettings(sent_after_seconds=2, delivered_after_seconds=5)
    sid, seen = _send(sms, body="Hello").sid, []
    for _ in range(3):
        message = sms.messages(sid).fetch()
        seen.append((str(message.status), message.date_sent))
        clock.advance(3)
    sent_at = datetime.fromtimestamp(NOON + 2, UTC)
    assert [("queued", None), ("sent", sent_at), ("delivered", sent_at)] == seen


def test_an_inbox_has_the_messages_to_its_number(twilio: FakeTwilio, sms: Client) -> None:
    """An inbox has what was sent to its number, oldest first, on every channel."""
    _send(sms, body="one")
    _send(sms, to="whatsapp:+15550100003", body="other")
    _send(sms, **PLAIN, body="two")
    inbox = twilio.inbox(PLAIN["to"])
    assert [("one", "WhatsApp"), ("two", "SMS")] == [(m.body, m.application) for m in inbox]
    assert inbox == twilio.inbox(RECIPIENT)


def test_a_service_chooses_the_sender_when_it_sends(
    twilio: FakeTwilio, sms: Client, clock: VirtualClock
) -> None:
    """A new message names the service alone; once it is sent, its sender and price too."""
    twilio.settings = TwilioSettings(sent_after_seconds=60)
    text = "a" * 161
    sent = sms.messages.create(to=RECIPIENT, messaging_service_sid=SERVICE, body=text)
    assert (SERVICE, None, None) == (sent.messaging_service_sid, sent.from_, sent.price)
    clock.advance(61)
    (listed,) = sms.messages.list(to=RECIPIENT)
    assert (sent.sid, SERVICE, SENDER) == (listed.sid, listed.messaging_service_sid, listed.from_)
    plain = sms.messages(_send(sms, **PLAIN, body=text).sid)
    clock.advance(61)
    assert ["-0.00790", "-0.01580"] == [listed.price, plain.fetch().price]


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [("MG1", 400, 21705), (f"MG{'9' * 32}", 404, 21701), (EMPTY, 400, 21704)],
)
def test_a_service_that_cannot_send_is_rejected(
    sms: Client, service: str, status: int, code: int
) -> None:
    """A malformed, unknown or empty messaging service has its own code."""
    assert (status, code) == _rejection(sms, body="Hello", messaging_service_sid=service)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *(("", 0), ("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2)),
        *(("ж" * 70, 1), ("ж" * 71, 2), ("é" + "ж" * 70, 2), ("😀" * 36, 2)),
    ],
)
def test_sms_are_counted_in_segments(text: str, count: int) -> None:
    """A segment has 160 or 153 GSM-7 characters, or 70 or 67 others."""
    assert count == segment_count(text)


def test_credentials_are_checked(twilio: FakeTwilio, sms: Client) -> None:
    """The account can be fetched; wrong or missing credentials are 401 errors, code 20003."""
    account = sms.api.accounts(ACCOUNT).fetch()
    assert (ACCOUNT, "active", None) == (account.sid, str(account.status), account.auth_token)
    for sid, token in ((ACCOUNT, "wrong"), (f"AC{'9' * 32}", TOKEN)):
        client = twilio_client(twilio.base_url, sid, token)
        assert (401, 20003) == _rejection(client, body="Hello")
    response = requests.get(f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json", timeout=5)
    assert (401, 20003) == (response.status_code, response.json()["code"])
    assert [] == twilio.messages()


def test_another_accounts_message_is_not_found(twilio: FakeTwilio, sms: Client) -> None:
    """An account cannot list or fetch another account's messages."""
    sid = _send(sms, body="Hello").sid
    stranger = twilio_client(twilio.base_url, OTHER_ACCOUNT)
    assert [] == stranger.messages.list()
    for fetch in (stranger.messages(sid).fetch, stranger.api.accounts(ACCOUNT).fetch):
        with pytest.raises(TwilioRestException) as rejected:
            fetch()
        assert (404, 20404) == (rejected.value.status, rejected.value.code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": ""}, 21604),
        ({"from_": ""}, 21603),
        ({"to": "whatsapp:15550100002"}, 21211),
        ({"to": "whatsapp:+0155501000"}, 21211),
        ({"to": "whatsapp:+1555"}, 21211),
        ({"to": "whatsapp:+1555010000200000"}, 21211),
        ({"to": "telegram:+15550100002"}, 21211),
        ({"from_": "whatsapp:+1 555 010 0001"}, 21212),
        ({"to": PLAIN["to"]}, 21910),
        ({"from_": PLAIN["from_"]}, 21910),
        ({"to": SENDER}, 63031),
        ({"to": PLAIN["to"], "from_": PLAIN["to"]}, 21266),
        ({"body": None}, 21619),
        ({"body": ""}, 21602),
        ({"body": " \n"}, 21602),
        ({"body": "a" * 1601}, 21617),
        ({"content_variables": "{}"}, 21654),
        ({"content_sid": f"HX{'9' * 32}"}, 21655),
        ({"content_sid": "HX1"}, 21655),
        ({"media_url": ["https://example.com/a.png"]}, 20001),
        (_template("{not json"), 21656),
        (_template(["Ada", "offer"]), 21656),
        (_template({"1": "Ada"}), 21656),
        *((_template({"1": "Ada", "offer": bad}), 21656) for bad in INVALID_VALUES),
        (_template({str(number): "x" for number in range(101)}), 21656),
        (_template({"1": "Ada", "offer": "x", "2": "more"}), 63028),
        (_template({"1": "Ada", "offer": "x" * 1024}), 63005),
    ],
)
def test_invalid_parameters_are_rejected(
    twilio: FakeTwilio, sms: Client, changes: dict[str, Any], code: int
) -> None:
    """Each invalid parameter is a 400 error with Twilio's code, and nothing is sent."""
    parameters = {"body": "Hello"} | changes
    sent = {name: value for name, value in parameters.items() if value is not None}
    assert (400, code) == _rejection(sms, **sent)
    assert [] == twilio.messages()


def test_limits_are_inclusive(sms: Client) -> None:
    """A body of 1600 characters, four spaces in a row and 1024 rendered characters are valid."""
    assert _send(sms, body="a" * 1600).sid
    longest = "x    y" + "z" * (1024 - len("Hello Ada! ") - 6)
    assert 1024 == len(_send(sms, **_template({"1": "Ada", "offer": longest})).body)


@pytest.mark.parametrize(
    ("method", "resource", "status", "code"),
    [
        ("GET", "Calls", 404, 20404),
        ("DELETE", "Messages", 405, 20004),
        ("POST", "Messages", 400, 20001),
    ],
)
def test_unsupported_routes_and_parameters_are_rejected(
    twilio: FakeTwilio, method: str, resource: str, status: int, code: int
) -> None:
    """Other resources, methods and parameters are errors in Twilio's format."""
    response = requests.request(
        method,
        f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}/{resource}.json",
        data={"To": RECIPIENT, "From": SENDER, "Body": "Hello", "Boddy": "x"},
        auth=(ACCOUNT, TOKEN),
        timeout=5,
    )
    assert (status, code) == (response.status_code, response.json()["code"])
    assert (code == 20001) == ("Boddy" in response.json()["message"])


def test_every_supported_parameter_is_one_of_the_sdks(twilio: FakeTwilio, sms: Client) -> None:
    """The supported parameters are spelled as the SDK sends them."""
    _send(sms, body="x")
    _send(sms, **_template({"1": "Ada", "offer": "x"}))
    _rejection(sms, messaging_service_sid="MG1", body="x")
    assert set(SUPPORTED) == {name for request in twilio.requests for name in request.body}
