"""Lists of messages at the stand-in for Twilio."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from local.stand_ins import TwilioSettings, TwilioStandIn
from tests.local.stand_ins.made_up import ACCOUNT, RECIPIENT, SENDER, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client


def _send(client: Client, body: str, to: str = RECIPIENT) -> str:
    return str(client.messages.create(to=to, from_=SENDER, body=body).sid)


def _send_at(clock: list[float], seconds: float, client: Client) -> str:
    clock[0] = 1_000_000.0 + seconds
    return _send(client, "Hello")


@pytest.fixture
def prompt(twilio: TwilioStandIn) -> None:
    """Messages are sent at once, so that they stand in the order in which they were created."""
    twilio.settings = TwilioSettings(sent_after_seconds=0)


@pytest.mark.usefixtures("prompt")
def test_lists_show_the_newest_first(sms: Client) -> None:
    """The last message that was sent is the first of a list."""
    sids = [_send(sms, body) for body in ("one", "two", "three")]
    assert sids[::-1] == [message.sid for message in sms.messages.list()]


def test_lists_go_by_when_messages_were_sent() -> None:
    """A message that was created later and is not sent yet stands behind one that is."""
    now = [1_000_000.0]
    settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    with TwilioStandIn(
        accounts={ACCOUNT: TOKEN}, settings=settings, clock=lambda: now[0]
    ) as twilio:
        client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        sent, waiting, last = (_send_at(now, at, client) for at in (0.0, 30.0, 50.0))
        now[0] += 11

        assert [sent, last, waiting] == [message.sid for message in client.messages.list()]


def test_lists_filter_by_address(sms: Client) -> None:
    """To and From let only exactly these addresses through."""
    _send(sms, "other", to="whatsapp:+15550100003")
    sid = _send(sms, "mine")
    assert [sid] == [message.sid for message in sms.messages.list(to=RECIPIENT, from_=SENDER)]
    assert [] == sms.messages.list(to=RECIPIENT.removeprefix("whatsapp:"))
    assert [] == sms.messages.list(from_="whatsapp:+15550100009")


@pytest.mark.usefixtures("prompt")
def test_long_lists_come_in_pages(twilio: TwilioStandIn, sms: Client) -> None:
    """The SDK finds every message once, page by page, with the filters kept."""
    sids = [_send(sms, str(number)) for number in range(7)]
    _send(sms, "other", to="whatsapp:+15550100003")
    listed = sms.messages.list(to=RECIPIENT, page_size=3)
    assert sids[::-1] == [message.sid for message in listed]
    assert 3 == sum(call.method == "GET" for call in twilio.requests)


@pytest.mark.usefixtures("prompt")
def test_pages_do_not_shift_when_a_message_comes_in_between(sms: Client) -> None:
    """The next page goes on behind the last message seen, whatever was sent meanwhile."""
    sids = [_send(sms, str(number)) for number in range(4)]
    first = sms.messages.page(page_size=2)
    _send(sms, "late")
    second = first.next_page()
    assert second is not None
    assert sids[::-1] == [message.sid for message in (*first, *second)]
    assert second.next_page() is None


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"date_sent_after": datetime(2030, 1, 15, 23, tzinfo=UTC)}, True),
        ({"date_sent_after": datetime(2030, 1, 16, tzinfo=UTC)}, False),
        ({"date_sent_before": datetime(2030, 1, 15, 1, tzinfo=UTC)}, True),
        ({"date_sent_before": datetime(2030, 1, 14, tzinfo=UTC)}, False),
        ({"date_sent": datetime(2030, 1, 15, tzinfo=UTC)}, True),
        ({"date_sent": datetime(2030, 1, 14, tzinfo=UTC)}, False),
    ],
)
def test_dates_are_compared_by_the_day(filters: dict[str, datetime], found: bool) -> None:
    """A filter by date lets the whole day through, on both sides."""
    noon = datetime(2030, 1, 15, 12, tzinfo=UTC).timestamp()
    settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, settings=settings, clock=lambda: noon) as twilio:
        client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        _send(client, "Hello")
        assert found == bool(client.messages.list(limit=None, page_size=None, **filters))


def test_a_message_not_yet_sent_has_no_date_to_filter_by(twilio: TwilioStandIn) -> None:
    """A queued message stands in a list without a filter by date only."""
    twilio.settings = TwilioSettings(sent_after_seconds=60, delivered_after_seconds=90)
    client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
    _send(client, "Hello")
    assert [] == client.messages.list(date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert 1 == len(client.messages.list())


def test_lists_can_lag_by_calls(twilio: TwilioStandIn, sms: Client) -> None:
    """A message appears after as many lists as were set, while fetching it works at once."""
    twilio.settings = replace(twilio.settings, list_lag_calls=2)
    sid = _send(sms, "Hello")
    assert sid == sms.messages(sid).fetch().sid
    assert [0, 0, 1] == [len(sms.messages.list(to=RECIPIENT)) for _ in range(3)]


def test_lists_can_lag_by_time() -> None:
    """A message appears when it is as old as was set."""
    now = [1_000_000.0]
    settings = TwilioSettings(list_lag_seconds=30)
    with TwilioStandIn(
        accounts={ACCOUNT: TOKEN}, settings=settings, clock=lambda: now[0]
    ) as twilio:
        client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        _send(client, "Hello")
        before = client.messages.list()
        now[0] += 30
        assert (0, 1) == (len(before), len(client.messages.list()))
        assert 1 == len(twilio.phone(RECIPIENT))


@pytest.mark.parametrize(
    "parameters", [{"date_sent": "soon"}, {"page_size": 0}, {"page_token": "PAwrong"}]
)
def test_bad_parameters_are_refused(sms: Client, parameters: dict[str, object]) -> None:
    """A wrong date, page size or token is refused."""
    with pytest.raises(TwilioException) as refused:
        sms.messages.page(**parameters)
    assert 400 == refused.value.args[1].status_code
