"""Faults of the fake of Twilio, as its SDK reports them."""

import json
from collections.abc import Callable
from functools import partial

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.fakes import FakeTwilio, Fault, TwilioSettings
from tests.local.fakes.clients import RECIPIENT, SENDER, twilio_client

STATUSES = {
    **dict.fromkeys((20003, 70051), 401),
    **dict.fromkeys((20005, 20008, 20403, 30002), 403),
    **dict.fromkeys((20429, 21611, 30001, 60728, 63017, 63018, 63038), 429),
    20500: 500,
    20503: 503,
}
DOCUMENTED = (
    *STATUSES,
    *(21211, 21604, 21612, 21614, 63003, 63024, 21212, 21603, 21606, 63007, 21408),
    *(21608, 63015, 21610, 63014, 63033, 21602, 21617, 21619, 21658),
    *(21654, 21655, 21656, 63005, 63013, 63021, 63027, 63028, 63040, 63041, 63042),
    *(63016, 63010, 63012),
)


def _send(client: Client) -> str | None:
    return client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_error_code_reaches_the_sdk(twilio: FakeTwilio, sms: Client, code: int) -> None:
    """A fault named like an error code is raised with its code and status; nothing is sent."""
    twilio.fail_next(str(code))
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert (code, STATUSES.get(code, 400)) == (failed.value.code, failed.value.status)
    assert [] == twilio.messages()
    assert _send(sms)


@pytest.mark.parametrize("effect_applied", [False, True])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (partial(Fault.error, 500, 20500), TwilioRestException),
        (partial(Fault.not_json, 502), TwilioRestException),
        (partial(Fault.not_json, 200), json.JSONDecodeError),
        (Fault.reset, requests.exceptions.ConnectionError),
        (Fault.hang, requests.exceptions.ReadTimeout),
    ],
)
def test_a_failed_send_may_have_taken_effect(
    twilio: FakeTwilio, make: Callable[..., Fault], error: type[Exception], effect_applied: bool
) -> None:
    """Each fault raises the SDK's error, whether or not the message was accepted and listed."""
    client = twilio_client(twilio.base_url, timeout=0.3)
    twilio.fail_next(make(effect_applied=effect_applied))
    with pytest.raises(error) as failed:
        _send(client)
    assert error is type(failed.value)
    assert [effect_applied] * 2 == [bool(twilio.inbox(RECIPIENT)), bool(client.messages.list())]
    if isinstance(failed.value, TwilioRestException):  # a page has its status as its code
        assert (failed.value.status, failed.value.code) in {(500, 20500), (502, 502)}


@pytest.mark.parametrize("effect_applied", [False, True])
def test_a_slow_response_is_the_normal_one(
    twilio: FakeTwilio, sms: Client, effect_applied: bool
) -> None:
    """A slow response has the sid, whether the effect came before or after the delay."""
    twilio.fail_next(Fault.slow(0.05, effect_applied=effect_applied))
    assert _send(sms) == twilio.inbox(RECIPIENT)[0].sid


def test_an_empty_response_has_no_sid(twilio: FakeTwilio, sms: Client) -> None:
    """A 201 with an empty body gives an instance without a sid, and the message was accepted."""
    twilio.fail_next(Fault.empty())
    assert _send(sms) is None
    assert 1 == len(twilio.inbox(RECIPIENT))


def test_an_accepted_message_can_fail_later(twilio: FakeTwilio, sms: Client) -> None:
    """A message can be accepted and become undelivered, with a code, not in the inbox."""
    twilio.settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    twilio.fail_next(Fault.undelivered(63016))
    assert [] == sms.messages.list()
    fetched = sms.messages(str(_send(sms))).fetch()
    assert ("undelivered", 63016) == (str(fetched.status), fetched.error_code)
    assert "window" in str(fetched.error_message)
    assert [] == twilio.inbox(RECIPIENT)
