"""What the stand-in for Twilio refuses, with which code."""

import json
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.stand_ins import TwilioStandIn
from local.stand_ins.twilio.orders import SUPPORTED
from tests.local.stand_ins.made_up import ACCOUNT, RECIPIENT, SENDER, TEMPLATE, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client

UNKNOWN_TEMPLATE = f"HX{'9' * 32}"


def _with_variables(variables: object) -> dict[str, str]:
    return {"content_sid": TEMPLATE, "content_variables": json.dumps(variables)}


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
        ({"to": "+15550100002"}, 21910),
        ({"from_": "+15550100001"}, 21910),
        ({"to": SENDER}, 63031),
        ({"to": "+15550100001", "from_": "+15550100001"}, 21266),
        ({"body": ""}, 21602),
        ({"body": " \n"}, 21602),
        ({"body": "a" * 1601}, 21617),
        ({"media_url": ["ftp://example.com/a.png"]}, 21620),
        ({"media_url": ["https://example.com/a.png"] * 11}, 21620),
        ({"status_callback": "nowhere"}, 21609),
        ({"content_variables": "{}"}, 21654),
        ({"content_sid": UNKNOWN_TEMPLATE}, 21655),
        ({"content_sid": "HX1"}, 21655),
        ({"provide_feedback": True}, 20001),
        ({"messaging_service_sid": "MG1"}, 21705),
    ],
)
def test_bad_parameters_are_refused(
    twilio: TwilioStandIn, sms: Client, changes: dict[str, Any], code: int
) -> None:
    """Each wrong parameter is answered with 400 and Twilio's code for it, and nothing is sent."""
    parameters = {"to": RECIPIENT, "from_": SENDER, "body": "Hello"} | changes
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(**parameters)
    assert (400, code) == (refused.value.status, refused.value.code)
    assert [] == twilio.messages()


@pytest.mark.parametrize(
    "variables",
    [
        ["Ada", "offer"],
        {"1": "Ada"},
        {"1": "Ada", "offer": ""},
        {"1": "Ada", "offer": " "},
        {"1": "Ada", "offer": None},
        {"1": "Ada", "offer": 5},
        {"1": "Ada", "offer": "two\nlines"},
        {"1": "Ada", "offer": "a\ttab"},
        {"1": "Ada", "offer": "too     far"},
        {str(number): "x" for number in range(101)},
    ],
)
def test_bad_variables_are_refused(sms: Client, variables: object) -> None:
    """Variables that are not filled, not strings or not one line are answered with 21656."""
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(to=RECIPIENT, from_=SENDER, **_with_variables(variables))
    assert (400, 21656) == (refused.value.status, refused.value.code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"content_sid": TEMPLATE, "content_variables": "{not json"}, 21656),
        (_with_variables({"1": "Ada", "offer": "x", "2": "more"}), 63028),
        (_with_variables({"1": "Ada", "offer": "x" * 1024}), 63005),
    ],
)
def test_content_that_does_not_fit_is_refused(
    sms: Client, content: dict[str, str], code: int
) -> None:
    """Variables that are no JSON, too many for the template, or too long for it are refused."""
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(to=RECIPIENT, from_=SENDER, **content)
    assert (400, code) == (refused.value.status, refused.value.code)


def test_limits_are_inclusive(sms: Client) -> None:
    """A body of 1600 characters, four spaces in a row and 1024 rendered characters are fine."""
    assert sms.messages.create(to=RECIPIENT, from_=SENDER, body="a" * 1600).sid
    longest = "x    y" + "z" * (1024 - len("Hello Ada! ") - 6)
    filled = _with_variables({"1": "Ada", "offer": longest})
    sent = sms.messages.create(to=RECIPIENT, from_=SENDER, **filled)
    assert 1024 == len(str(sent.body))


def test_something_to_send_is_required(sms: Client) -> None:
    """A message without text, media and template is answered with 21619."""
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(to=RECIPIENT, from_=SENDER)
    assert (400, 21619) == (refused.value.status, refused.value.code)


@pytest.mark.parametrize(
    ("to", "sender", "code"),
    [(RECIPIENT, "whatsapp:+15550100009", 63007), ("+15550100002", "+15550100009", 21606)],
)
def test_only_registered_senders_may_send(to: str, sender: str, code: int) -> None:
    """A sender that is not the account's is answered with its channel's code."""
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, senders={SENDER}) as twilio:
        client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        assert client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=to, from_=sender, body="Hello")
    assert (400, code) == (refused.value.status, refused.value.code)


def test_an_unknown_form_parameter_is_refused(twilio: TwilioStandIn) -> None:
    """A parameter that Twilio does not know either is answered with 20001 and named."""
    answer = requests.post(
        f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        data={"To": RECIPIENT, "From": SENDER, "Body": "Hello", "Boddy": "x"},
        auth=(ACCOUNT, TOKEN),
        timeout=5,
    )
    assert (400, 20001) == (answer.status_code, answer.json()["code"])
    assert "Boddy" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/2010-04-01/Accounts/{}/Calls.json", 404, 20404),
        ("DELETE", "/2010-04-01/Accounts/{}/Messages.json", 405, 20004),
    ],
)
def test_what_is_not_played_is_refused(
    twilio: TwilioStandIn, method: str, path: str, status: int, code: int
) -> None:
    """Other resources and methods are answered in Twilio's form."""
    url = twilio.base_url + path.format(ACCOUNT)
    answer = requests.request(method, url, auth=(ACCOUNT, TOKEN), timeout=5)
    assert (status, code) == (answer.status_code, answer.json()["code"])


def test_requests_without_credentials_are_refused(twilio: TwilioStandIn) -> None:
    """A request without credentials is answered with 401 and code 20003."""
    answer = requests.get(f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json", timeout=5)
    assert (401, 20003) == (answer.status_code, answer.json()["code"])


def test_every_supported_parameter_is_one_of_the_sdks(twilio: TwilioStandIn, sms: Client) -> None:
    """The parameters that are understood are spelt as the SDK sends them."""
    for options in ({"body": "x", "status_callback": "https://example.com"}, _filled()):
        media = ["https://example.com/a.png"]
        sms.messages.create(to=RECIPIENT, from_=SENDER, media_url=media, **options)
    with pytest.raises(TwilioRestException):
        sms.messages.create(to=RECIPIENT, messaging_service_sid="MG1", body="x")
    assert set(SUPPORTED) == {name for call in twilio.requests for name in call.body}


def _filled() -> dict[str, str]:
    return _with_variables({"1": "Ada", "offer": "x"})
