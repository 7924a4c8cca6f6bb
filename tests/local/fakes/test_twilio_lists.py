"""Lists of messages at the fake of Twilio."""

from datetime import UTC, datetime

import pytest
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from local.fakes import FakeTwilio, TwilioSettings
from local.fakes.clock import VirtualClock
from tests.local.fakes.clients import NOON, RECIPIENT, SENDER


def _send(sms: Client, body: str = "Hello", to: str = RECIPIENT) -> str:
    return str(sms.messages.create(to=to, from_=SENDER, body=body).sid)


def test_lists_are_sorted_by_sending_time(
    twilio: FakeTwilio, sms: Client, clock: VirtualClock
) -> None:
    """The message sent last is first; a message that is not sent yet is last."""
    twilio.settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    sids = []
    for seconds in (0, 20, 40):
        clock.now = NOON + seconds
        sids.append(_send(sms))
    clock.advance(41)
    assert [sids[1], sids[0], sids[2]] == [message.sid for message in sms.messages.list()]


def test_lists_filter_by_address(sms: Client) -> None:
    """To and From include exactly these addresses."""
    _send(sms, to="whatsapp:+15550100003")
    sid = _send(sms)
    assert [sid] == [message.sid for message in sms.messages.list(to=RECIPIENT, from_=SENDER)]
    assert [] == sms.messages.list(to=RECIPIENT.removeprefix("whatsapp:"))
    assert [] == sms.messages.list(from_="whatsapp:+15550100009")


@pytest.mark.parametrize("server_limit", [3, 1000])
def test_long_lists_have_pages(twilio: FakeTwilio, sms: Client, server_limit: int) -> None:
    """The SDK finds every message once, page by page, with the filters kept."""
    sids = [_send(sms) for _ in range(7)]
    _send(sms, to="whatsapp:+15550100003")
    twilio.settings = TwilioSettings(sent_after_seconds=0, max_page_size=server_limit)
    listed = sms.messages.list(to=RECIPIENT, page_size=min(1000, 1006 - server_limit))
    assert sids[::-1] == [message.sid for message in listed]
    assert (3 if server_limit == 3 else 2) == sum(r.method == "GET" for r in twilio.requests)


def test_pages_do_not_shift_when_a_message_is_added(sms: Client) -> None:
    """The next page continues after the last message seen, whatever was sent since."""
    sids = [_send(sms) for _ in range(4)]
    first = sms.messages.page(page_size=2)
    _send(sms, "late")
    second = first.next_page()
    assert second is not None
    assert sids[::-1] == [message.sid for message in (*first, *second)]
    assert second.next_page() is None


@pytest.mark.parametrize(
    ("name", "day", "hour", "found"),
    [
        ("date_sent_after", 15, 23, True),
        ("date_sent_after", 16, 0, False),
        ("date_sent_before", 15, 1, True),
        ("date_sent_before", 14, 0, False),
        ("date_sent", 15, 0, True),
        ("date_sent", 14, 0, False),
    ],
)
def test_dates_are_compared_by_day(
    sms: Client, name: str, day: int, hour: int, found: bool
) -> None:
    """A date filter includes the whole day, on both sides."""
    _send(sms)
    filters = {name: datetime(2030, 1, day, hour, tzinfo=UTC)}
    assert found == bool(sms.messages.list(limit=None, page_size=None, **filters))


def test_an_unsent_message_has_no_date(twilio: FakeTwilio, sms: Client) -> None:
    """A queued message is in a list only if that has no date filter."""
    twilio.settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    _send(sms)
    assert [] == sms.messages.list(date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert 1 == len(sms.messages.list())


def test_lists_can_lag_by_requests(twilio: FakeTwilio, sms: Client) -> None:
    """A message appears after as many matching lists as set, but can be fetched at once."""
    twilio.settings = TwilioSettings(list_lag_requests=2)
    sid = _send(sms)
    assert sid == sms.messages(sid).fetch().sid
    assert [0, 0, 1] == [len(sms.messages.list(to=RECIPIENT)) for _ in range(3)]


def test_lists_can_lag_by_time(twilio: FakeTwilio, sms: Client, clock: VirtualClock) -> None:
    """A message appears at the age that is set, but is in the inbox at once."""
    twilio.settings = TwilioSettings(list_lag_seconds=30)
    _send(sms)
    assert ([], 1) == (sms.messages.list(), len(twilio.inbox(RECIPIENT)))
    clock.advance(30)
    assert 1 == len(sms.messages.list())


@pytest.mark.parametrize(
    "parameters", [{"date_sent": "soon"}, {"page_size": 0}, {"page_token": "PAwrong"}]
)
def test_invalid_parameters_are_rejected(sms: Client, parameters: dict[str, object]) -> None:
    """A wrong date, page size or token is a 400 error."""
    with pytest.raises(TwilioException) as rejected:
        sms.messages.page(**parameters)
    assert 400 == rejected.value.args[1].status_code
