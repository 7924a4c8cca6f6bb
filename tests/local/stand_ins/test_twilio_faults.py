"""Faults of the stand-in for Twilio, as its SDK sees them."""

import json
from collections.abc import Callable

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from local.stand_ins import Fault, Match, TwilioStandIn
from local.stand_ins.twilio.errors import NAMED_FAULTS
from tests.local.stand_ins.made_up import ACCOUNT, RECIPIENT, SENDER, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client

DOCUMENTED = (
    *(20429, 20500, 20503, 20003, 20008, 70051, 20005, 20403, 30002),
    *(21211, 21604, 21612, 21614, 63003, 63024, 21212, 21603, 21606, 63007, 21408),
    *(21608, 63015, 21610, 63014, 63033, 21602, 21617, 21619, 21658),
    *(21654, 21655, 21656, 63005, 63013, 63021, 63027, 63028, 63040, 63041, 63042),
    *(63016, 63010, 63012, 63017, 63018, 21611, 30001, 63038, 60728),
)
STATUSES = {
    20003: 401,
    70051: 401,
    20005: 403,
    20008: 403,
    20403: 403,
    30002: 403,
    20500: 500,
    20503: 503,
    20429: 429,
    21611: 429,
    30001: 429,
    60728: 429,
    63017: 429,
    63018: 429,
    63038: 429,
}


def _send(client: Client) -> str | None:
    return client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_error_code_reaches_the_sdk(twilio: TwilioStandIn, sms: Client, code: int) -> None:
    """A fault named like an error code is raised with its code and status; nothing is sent."""
    twilio.fail_next(str(code))
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert (code, STATUSES.get(code, 400)) == (failed.value.code, failed.value.status)
    assert [] == twilio.messages()
    assert _send(sms)


def test_every_documented_code_has_a_name() -> None:
    """No code of the tables that senders rely on is missing."""
    assert set() == {str(code) for code in DOCUMENTED} - NAMED_FAULTS.keys()


@pytest.mark.parametrize("code", [20500, 20503])
def test_an_error_may_hide_an_accepted_message(
    twilio: TwilioStandIn, sms: Client, code: int
) -> None:
    """A 5xx answer can come although the message was accepted, is listed and reaches the phone."""
    status = NAMED_FAULTS[str(code)].status
    twilio.fail_next(Fault.error(status, code, effect_applied=True))
    with pytest.raises(TwilioRestException):
        _send(sms)
    assert 1 == len(twilio.phone(RECIPIENT))
    assert 1 == len(sms.messages.list(to=RECIPIENT))


@pytest.mark.parametrize("effect_applied", [False, True])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Fault.reset, requests.exceptions.ConnectionError),
        (Fault.hang, requests.exceptions.ReadTimeout),
    ],
)
def test_a_lost_answer_may_or_may_not_have_taken_effect(
    twilio: TwilioStandIn,
    make: Callable[..., Fault],
    error: type[Exception],
    effect_applied: bool,
) -> None:
    """A reset and a timeout look the same whether or not the message was accepted."""
    client = twilio_client(twilio.base_url, ACCOUNT, TOKEN, timeout=1.0)
    twilio.fail_next(make(effect_applied=effect_applied))
    with pytest.raises(error) as failed:
        _send(client)
    assert error is type(failed.value)
    assert effect_applied == bool(twilio.phone(RECIPIENT))


@pytest.mark.parametrize("effect_applied", [False, True])
def test_a_slow_answer_is_a_normal_one(
    twilio: TwilioStandIn, sms: Client, effect_applied: bool
) -> None:
    """A slow answer holds the sid, whether the effect came before or after the wait."""
    twilio.fail_next(Fault.slow(0.05, effect_applied=effect_applied))
    assert _send(sms) == twilio.phone(RECIPIENT)[0].sid


def test_an_empty_answer_has_no_sid(twilio: TwilioStandIn, sms: Client) -> None:
    """A 201 with an empty body gives an instance without a sid, and the message was accepted."""
    twilio.fail_next(Fault.empty())
    assert _send(sms) is None
    assert 1 == len(twilio.phone(RECIPIENT))


@pytest.mark.parametrize("effect_applied", [False, True])
def test_a_gateways_page_has_its_status_as_code(
    twilio: TwilioStandIn, sms: Client, effect_applied: bool
) -> None:
    """An HTML error page is raised with its status in place of a code."""
    twilio.fail_next(Fault.not_json(502, effect_applied=effect_applied))
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert (502, 502) == (failed.value.status, failed.value.code)
    assert effect_applied == bool(twilio.messages())


def test_a_page_may_come_in_place_of_a_message(twilio: TwilioStandIn, sms: Client) -> None:
    """An HTML page with a status of success raises the JSON decoder's error, as does a list's."""
    twilio.fail_next(Fault.not_json(200, effect_applied=True), times=2)
    for call in (lambda: _send(sms), sms.messages.list):
        with pytest.raises(json.JSONDecodeError):
            call()
    assert 1 == len(twilio.phone(RECIPIENT))


def test_a_throttle_says_when_to_come_again(twilio: TwilioStandIn) -> None:
    """The Retry-After header carries the seconds that the fault names."""
    twilio.fail_next(Fault.error(429, 20429, retry_after=3))
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json"
    answer = requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5)
    assert (429, "3") == (answer.status_code, answer.headers["Retry-After"])


def test_an_accepted_message_can_fail_later(twilio: TwilioStandIn, sms: Client) -> None:
    """A message can be accepted and end undelivered, with a code, off the phone."""
    twilio.settings = type(twilio.settings)(sent_after_seconds=0, delivered_after_seconds=0)
    twilio.fail_next(Fault.undelivered(63016))
    assert [] == sms.messages.list()
    fetched = sms.messages(str(_send(sms))).fetch()
    assert ("undelivered", 63016) == (str(fetched.status), fetched.error_code)
    assert "window" in str(fetched.error_message)
    assert [] == twilio.phone(RECIPIENT)


def test_faults_can_be_aimed_at_lists(twilio: TwilioStandIn, sms: Client) -> None:
    """A match lets looking fail while sending works."""
    twilio.fail_next("20503", match=Match(method="GET"))
    assert _send(sms)
    with pytest.raises(TwilioException):
        sms.messages.list()
