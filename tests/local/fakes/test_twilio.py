"""The fake of Twilio: messages, lists, validation, and faults as the SDK reports them."""

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
    TIMEOUT,
    TOKEN,
    twilio_client,
)

INVALID_VALUES = ("", None, "two\nlines", "too     far")
INVALID_URLS = ("/callbacks", "ftp://example.com/", "https:///x")
PLAIN = {"to": "+15550100002", "from_": "+15550100001"}
OTHER_RECIPIENT = "whatsapp:+15550100003"

STATUSES = {
    **dict.fromkeys((20003, 70051), 401),
    **dict.fromkeys((20005, 20008, 20403, 30002), 403),
    **dict.fromkeys((20429, 21611, 30001, 60728, 63017, 63018, 63038), 429),
    20500: 500,
    20503: 503,
}


def _template(variables: object) -> dict[str, str]:
    content = variables if isinstance(variables, str) else json.dumps(variables)
    return {"content_sid": TEMPLATE, "content_variables": content}


def _send(client: Client, **parameters: Any) -> Any:
    return client.messages.create(**({"to": RECIPIENT, "from_": SENDER} | parameters))


def _sid(client: Client, **parameters: Any) -> Any:
    return _send(client, **({"body": "Hello"} | parameters)).sid


def _listed(client: Client, **filters: Any) -> list[str | None]:
    return [message.sid for message in client.messages.list(**filters)]


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
    assert (datetime.fromtimestamp(NOON, UTC), None) == (sent.date_created, sent.error_code)


def test_service_chooses_sender(twilio: FakeTwilio, sms: Client, clock: VirtualClock) -> None:
    """A new message names the service alone; once it is sent, its sender and price too."""
    twilio.settings = TwilioSettings(sent_after_seconds=60)
    text = "a" * 161
    sent = sms.messages.create(to=RECIPIENT, messaging_service_sid=SERVICE, body=text)
    assert (SERVICE, None, None) == (sent.messaging_service_sid, sent.from_, sent.price)
    clock.advance(61)
    (listed,) = sms.messages.list(to=RECIPIENT)
    assert (sent.sid, SERVICE, SENDER) == (listed.sid, listed.messaging_service_sid, listed.from_)
    plain = sms.messages(_sid(sms, **PLAIN, body=text))
    clock.advance(61)
    assert ["-0.00790", "-0.01580"] == [listed.price, plain.fetch().price]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *(("", 0), ("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("€" * 81, 2)),
        *(("ж" * 70, 1), ("ж" * 71, 2), ("😀" * 36, 2)),
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
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json"
    response = requests.get(url, timeout=TIMEOUT)
    assert (401, 20003) == (response.status_code, response.json()["code"])
    assert [] == twilio.messages()


def test_another_accounts_message_is_not_found(twilio: FakeTwilio, sms: Client) -> None:
    """An account cannot list or fetch another account's messages."""
    sid, stranger = _sid(sms), twilio_client(twilio.base_url, OTHER_ACCOUNT)
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
        ({"to": "whatsapp:+1555010000200000"}, 21211),
        ({"from_": "whatsapp:+1 555 010 0001"}, 21212),
        ({"to": PLAIN["to"]}, 21910),
        ({"to": SENDER}, 63031),
        ({"to": PLAIN["to"], "from_": PLAIN["to"]}, 21266),
        ({"body": None}, 21619),
        ({"body": " \n"}, 21602),
        ({"body": "a" * 1601}, 21617),
        ({"content_variables": "{}"}, 21654),
        ({"content_sid": f"HX{'9' * 32}"}, 21655),
        ({"media_url": ["https://example.com/a.png"]}, 20001),
        (_template("{not json"), 21656),
        *((_template({"1": "Ada", "offer": bad}), 21656) for bad in INVALID_VALUES),
        (_template({str(number): "x" for number in range(101)}), 21656),
        (_template({"1": "Ada", "offer": "x", "2": "more"}), 63028),
        (_template({"1": "Ada", "offer": "x" * 1024}), 63005),
        ({"messaging_service_sid": f"MG{'9' * 32}"}, 21701),
        ({"messaging_service_sid": EMPTY}, 21704),
        *(({"status_callback": bad}, 21609) for bad in INVALID_URLS),
    ],
)
def test_invalid_send(twilio: FakeTwilio, sms: Client, changes: dict[str, Any], code: int) -> None:
    """Each has a status of 400, an unknown service 404, and Twilio's code; nothing is sent."""
    parameters = {"body": "Hello"} | changes
    sent = {name: value for name, value in parameters.items() if value is not None}
    assert (404 if code == 21701 else 400, code) == _rejection(sms, **sent)
    assert [] == twilio.messages()


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
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}/{resource}.json"
    data = {"To": RECIPIENT, "From": SENDER, "Body": "Hello", "Boddy": "x"}
    response = requests.request(method, url, data=data, auth=(ACCOUNT, TOKEN), timeout=TIMEOUT)
    assert (status, code) == (response.status_code, response.json()["code"])
    assert (code == 20001) == ("Boddy" in response.json()["message"])


def test_every_supported_parameter_is_one_of_the_sdks(twilio: FakeTwilio, sms: Client) -> None:
    """The supported parameters are spelled as the SDK sends them."""
    _send(sms, body="x", status_callback="https://example.com/callbacks")
    _send(sms, **_template({"1": "Ada", "offer": "x"}))
    _rejection(sms, messaging_service_sid="MG1", body="x")
    assert set(SUPPORTED) == {name for request in twilio.requests for name in request.body}


def test_lists_are_sorted_by_time(twilio: FakeTwilio, sms: Client, clock: VirtualClock) -> None:
    """The message sent last is first; one not sent yet is last, and in no list by date."""
    twilio.settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    sids = []
    for seconds in (0, 20, 40):
        clock.now = NOON + seconds
        sids.append(_sid(sms))
    clock.advance(41)
    assert [sids[1], sids[0], sids[2]] == _listed(sms)
    assert sids[1::-1] == _listed(sms, date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))


def test_lists_filter_by_address(sms: Client) -> None:
    """To and From include exactly these addresses."""
    _sid(sms, to=OTHER_RECIPIENT)
    sid = _sid(sms)
    assert [sid] == _listed(sms, to=RECIPIENT, from_=SENDER)
    assert [] == _listed(sms, to=RECIPIENT.removeprefix("whatsapp:"))
    assert [] == _listed(sms, from_="whatsapp:+15550100009")


def test_long_lists_have_pages(twilio: FakeTwilio, sms: Client) -> None:
    """The SDK finds every message once, page by page, with the filters kept."""
    sids = [_sid(sms) for _ in range(7)]
    _sid(sms, to=OTHER_RECIPIENT)
    twilio.settings = TwilioSettings(sent_after_seconds=0, max_page_size=3)
    assert sids[::-1] == _listed(sms, to=RECIPIENT, page_size=1000)
    assert 3 == sum(r.method == "GET" for r in twilio.requests)


@pytest.mark.parametrize(
    ("name", "day", "hour", "found"),
    [
        ("date_sent_after", 16, 0, False),
        ("date_sent_before", 14, 0, False),
        ("date_sent", 15, 0, True),
        ("date_sent", 14, 0, False),
    ],
)
def test_dates_compare_by_day(sms: Client, name: str, day: int, hour: int, found: bool) -> None:
    """A date filter includes the whole day, on both sides."""
    _sid(sms)
    assert found == bool(_listed(sms, **{name: datetime(2030, 1, day, hour, tzinfo=UTC)}))


def test_lists_can_lag(twilio: FakeTwilio, sms: Client, clock: VirtualClock) -> None:
    """A message is listed after as many lists, or at the age, as set, but is fetched at once."""
    twilio.settings = TwilioSettings(list_lag_requests=2)
    first = _sid(sms)
    assert first == sms.messages(first).fetch().sid
    assert [[], [], [first]] == [_listed(sms, to=RECIPIENT) for _ in range(3)]
    twilio.settings = TwilioSettings(list_lag_seconds=30)
    second = _sid(sms, to=OTHER_RECIPIENT)
    assert ([], 1) == (_listed(sms, to=OTHER_RECIPIENT), len(twilio.inbox(OTHER_RECIPIENT)))
    clock.advance(30)
    assert [second] == _listed(sms, to=OTHER_RECIPIENT)


@pytest.mark.parametrize("code", [*STATUSES, 21211, 63016])
def test_every_error_code_reaches_the_sdk(twilio: FakeTwilio, sms: Client, code: int) -> None:
    """A fault named like an error code is raised with its code and status; nothing is sent."""
    twilio.fail_next(str(code))
    assert (STATUSES.get(code, 400), code) == _rejection(sms, body="Hello")
    assert [] == twilio.messages()
    assert _sid(sms)
