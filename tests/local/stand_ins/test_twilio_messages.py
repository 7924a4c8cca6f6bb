"""Messages sent through the stand-in for Twilio."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.stand_ins import TwilioSettings, TwilioStandIn
from local.stand_ins.twilio.segments import segment_count
from tests.local.stand_ins.made_up import ACCOUNT, RECIPIENT, SENDER, TEMPLATE, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client


class Clock:
    """Time that a test moves."""

    now = datetime(2030, 1, 15, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        """The present time, in seconds since the epoch."""
        return self.now


def test_a_template_message_shows_its_rendered_text(twilio: TwilioStandIn, sms: Client) -> None:
    """A message from a template is listed, fetched and shown on the phone as rendered."""
    variables = json.dumps({"1": "Ada", "offer": "Shall we talk?"})
    sent = sms.messages.create(
        to=RECIPIENT, from_=SENDER, content_sid=TEMPLATE, content_variables=variables
    )
    text = "Hello Ada! Shall we talk?"
    assert text == sent.body
    assert text == sms.messages(str(sent.sid)).fetch().body
    assert [text] == [message.body for message in twilio.phone("+15550100002")]


def test_a_message_has_twilios_form(sms: Client) -> None:
    """A new message is queued, with Twilio's kinds of identifier, date and default."""
    sent = sms.messages.create(to=RECIPIENT, from_=SENDER, body="Hello")
    assert str(sent.sid).startswith("SM")
    assert 34 == len(str(sent.sid))
    assert ("queued", "outbound-api") == (str(sent.status), str(sent.direction))
    assert ("1", "0") == (sent.num_segments, sent.num_media)
    assert (RECIPIENT, SENDER, ACCOUNT) == (sent.to, sent.from_, sent.account_sid)
    assert sent.date_created is not None
    assert datetime.now(UTC) - sent.date_created < timedelta(seconds=5)
    assert (None, None, None) == (sent.date_sent, sent.error_code, sent.price)


def test_a_message_goes_from_queued_to_sent_to_delivered() -> None:
    """Time turns a queued message into a sent and then into a delivered one."""
    clock = Clock()
    settings = TwilioSettings(sent_after_seconds=2, delivered_after_seconds=5)
    with TwilioStandIn(accounts={ACCOUNT: TOKEN}, settings=settings, clock=clock) as twilio:
        client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        sid = str(client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid)
        seen = []
        for _ in range(3):
            message = client.messages(sid).fetch()
            seen.append((str(message.status), message.date_sent))
            clock.now += 3
    sent_at = datetime(2030, 1, 15, 12, 0, 2, tzinfo=UTC)
    assert [("queued", None), ("sent", sent_at), ("delivered", sent_at)] == seen


def test_phones_show_their_own_messages_in_order(twilio: TwilioStandIn, sms: Client) -> None:
    """A phone shows what was sent to its number, oldest first, whatever the channel."""
    sms.messages.create(to=RECIPIENT, from_=SENDER, body="one")
    sms.messages.create(to="whatsapp:+15550100003", from_=SENDER, body="other")
    sms.messages.create(to="+15550100002", from_="+15550100001", body="two")
    assert ["one", "two"] == [message.body for message in twilio.phone("+15550100002")]
    assert SENDER == twilio.phone(RECIPIENT)[0].sender


def test_a_media_message_needs_no_text(sms: Client) -> None:
    """A message with media alone is accepted, and its sid begins with MM."""
    media = ["https://example.com/a.png", "https://example.com/b.png"]
    sent = sms.messages.create(to=RECIPIENT, from_=SENDER, media_url=media)
    assert ("MM", "2", "") == (str(sent.sid)[:2], sent.num_media, sent.body)


def test_credentials_can_be_checked(sms: Client) -> None:
    """The account can be fetched with its own credentials."""
    account = sms.api.accounts(ACCOUNT).fetch()
    assert (ACCOUNT, "active", None) == (account.sid, str(account.status), account.auth_token)


@pytest.mark.parametrize(("sid", "token"), [(ACCOUNT, "wrong"), (f"AC{'9' * 32}", TOKEN)])
def test_wrong_credentials_are_refused(twilio: TwilioStandIn, sid: str, token: str) -> None:
    """A wrong token and an unknown account are answered with 401 and code 20003."""
    client = twilio_client(twilio.base_url, sid, token)
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello")
    assert (401, 20003) == (refused.value.status, refused.value.code)
    assert [] == twilio.messages()


def test_another_accounts_message_is_not_found() -> None:
    """An account sees neither another account's message nor its address space."""
    other = f"AC{'2' * 32}"
    with TwilioStandIn(accounts={ACCOUNT: TOKEN, other: "t"}) as twilio:
        owner = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
        sid = str(owner.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid)
        stranger = twilio_client(twilio.base_url, other, "t")
        assert [] == stranger.messages.list()
        for fetch in (stranger.messages(sid).fetch, stranger.api.accounts(ACCOUNT).fetch):
            with pytest.raises(TwilioRestException) as refused:
                fetch()
            assert (404, 20404) == (refused.value.status, refused.value.code)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 36, 2),
    ],
)
def test_sms_are_counted_in_segments(text: str, count: int) -> None:
    """An SMS is charged by parts of 160 or 153 GSM-7 characters, or 70 or 67 others."""
    assert count == segment_count(text)
