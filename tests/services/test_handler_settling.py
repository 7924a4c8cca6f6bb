"""Settling unknown sends, in virtual time: the real queue hides and shows, Twilio's list lags."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from twilio.rest import Client

from lambda_src import index
from lambda_src.core.timing import SKEW_SECONDS
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings, TwilioStandIn
from local.stand_ins.virtual import VirtualClock
from tests.local.stand_ins.twilio_client import twilio_client
from tests.services.account import MAX_RECEIVE_COUNT
from tests.services.channel import (
    ACCOUNT,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)
from tests.services.event_source import EventSource

SENDER, OTHER_SENDER = "whatsapp:+15550100001", "whatsapp:+15550100009"
DELAYS = (15, 60)
ANSWER = {"1": "Amara", "2": "Your application has arrived, and we would like to call you."}
CREATE = Match(method="POST")
AN_INSTANT = 1.5
"""What a whole second, and the second of chance that is added to a wait, make of it."""


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()


@pytest.fixture
def virtual(
    channel: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Channel]:
    """The channel, with a Twilio that goes by the virtual time; the AI always writes the same."""
    template = "Hello {{1}}! {{2}} Reply STOP to opt out."
    with TwilioStandIn(
        accounts={ACCOUNT: TOKEN}, templates={TEMPLATE: template}, clock=clock
    ) as twilio:
        monkeypatch.setenv("TWILIO_BASE_URL", twilio.base_url)
        fault = Fault.misfit(json.dumps(ANSWER))
        channel.openai.add_rule(channel.openai.rule(fault, times=None))
        yield replace(channel, twilio=twilio)


@pytest.fixture
def source(virtual: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> EventSource:
    """The event source mapping, in virtual time."""
    return EventSource(virtual, clock, monkeypatch)


@pytest.fixture
def others(virtual: Channel) -> Client:
    """Whoever else sends from the tenant's account."""
    return twilio_client(virtual.twilio.base_url, ACCOUNT, TOKEN)


def send(client: Client, answer: dict[str, str], sender: str = SENDER) -> str:
    """Send a message by the template, from elsewhere; return its sid."""
    message = client.messages.create(
        to=f"whatsapp:{RECIPIENT}",
        from_=sender,
        content_sid=TEMPLATE,
        content_variables=json.dumps(answer),
    )
    assert message.sid
    return message.sid


def lose_the_send(source: EventSource, *, accepted: bool, body: str | None = None) -> None:
    """Deliver a message whose send is or is not accepted, and whose answer is lost."""
    source.channel.twilio.fail_next(Fault.reset(effect_applied=accepted), match=CREATE)
    source.put(body or context())
    source.clock.advance(1)
    assert 1 == source.poll()
    assert "sending" == source.channel.record()["conversation_status"]


def looks(channel: Channel) -> int:
    """How often the list was asked for."""
    return sum(call.method == "GET" for call in channel.twilio.requests)


def sends(channel: Channel) -> int:
    """How often a send was asked for."""
    return sum(call.method == "POST" for call in channel.twilio.requests)


def sent_sid(channel: Channel) -> str:
    """The sid that the record of a sent message holds."""
    record = channel.record()
    assert "initial_message_sent" == record["conversation_status"]
    return str(record["message_sid"])


def test_a_message_found_is_recorded(source: EventSource) -> None:
    """Once its sender must have given up, it is looked for, found, recorded and deleted."""
    channel = source.channel
    lose_the_send(source, accepted=True)
    (hidden,) = source.visible_in()
    span = index.batch_handler().flow.timing.send_span
    assert span - 0.1 <= hidden <= span + AN_INSTANT

    source.run()

    (message,) = channel.twilio.messages()
    assert message["sid"] == sent_sid(channel)
    assert (1, 1) == (looks(channel), sends(channel))
    assert [] == source.dead_letters()


def test_a_message_absent_is_looked_for_with_growing_delays(source: EventSource) -> None:
    """The queue hides it for each delay in turn; then a person is called, and it is dead."""
    channel = source.channel
    lose_the_send(source, accepted=False)

    source.run()

    _, *waits = source.waits[: len(DELAYS) + 2]
    assert [True, True] == [
        delay <= wait <= delay + AN_INSTANT for delay, wait in zip(DELAYS, waits, strict=False)
    ]
    assert pytest.approx(0, abs=0.001) == waits[len(DELAYS)]
    assert (len(DELAYS) + 1, 1) == (looks(channel), sends(channel))
    line = channel.events()["send_outcome_unknown"]
    assert "CRITICAL" == line["level"]
    assert RECIPIENT not in json.dumps(line)
    assert "send_unknown" == channel.record()["conversation_status"]
    assert [context()] == source.dead_letters()
    assert [] == channel.phone()


def test_what_is_declared_unknown_is_dead_within_seconds(source: EventSource) -> None:
    """Each further receive is shown at once, and asks nobody anything."""
    lose_the_send(source, accepted=False)
    while "send_unknown" != source.channel.record()["conversation_status"]:
        source.clock.advance(max(source.visible_in()) + 0.01)
        source.poll()
    declared_at, calls = source.clock(), source.channel.vendor_calls()

    source.run()

    assert source.clock() - declared_at < 10
    assert calls == source.channel.vendor_calls()
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives


@pytest.mark.parametrize(("lag", "expected"), [(5, 1), (15, 2), (60, 3)])
def test_a_list_that_lags_is_looked_at_again(
    source: EventSource, lag: float, expected: int
) -> None:
    """However late it is within the delays, the message is found, and never sent again."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=lag)
    lose_the_send(source, accepted=True)

    source.run()

    assert expected == looks(source.channel)
    assert 1 == sends(source.channel)
    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)


def test_a_list_that_lags_beyond_all_delays_calls_a_person(source: EventSource) -> None:
    """A message that is listed too late is not sent again: a person decides."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=3_600)
    lose_the_send(source, accepted=True)

    source.run()

    assert "send_outcome_unknown" in source.channel.events()
    assert (1, 1) == (sends(source.channel), len(source.channel.phone()))
    assert [context()] == source.dead_letters()


def test_a_duplicate_on_the_queue_does_not_hasten_the_looks(source: EventSource) -> None:
    """Two messages of one conversation look no earlier than one, and declare it once."""
    began_at = source.clock()
    lose_the_send(source, accepted=False)
    source.put(context())

    source.run()

    assert source.clock() - began_at >= sum(DELAYS)
    assert len(DELAYS) == source.channel.record()["settle_looks"]
    assert [context(), context()] == source.dead_letters()


OTHERS: dict[str, Callable[[Client], object]] = {
    "another text": lambda client: send(client, {**ANSWER, "2": "Another text to Amara."}),
    "another name": lambda client: send(client, {**ANSWER, "1": "Amaranth"}),
    "another sender": lambda client: send(client, ANSWER, OTHER_SENDER),
    "free text": lambda client: client.messages.create(
        to=f"whatsapp:{RECIPIENT}", from_=SENDER, body="Hello Amara! Your application is late."
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("accepted", [True, False], ids=["ours is listed", "ours is not"])
def test_other_messages_to_the_recipient_are_not_taken(
    source: EventSource, others: Client, kind: str, accepted: bool
) -> None:
    """Neither another text nor another sender is taken for it, whether or not it is there."""
    lose_the_send(source, accepted=accepted)
    ours = [message["sid"] for message in source.channel.twilio.messages()]
    OTHERS[kind](others)

    source.run()

    if accepted:
        assert ours == [sent_sid(source.channel)]
    else:
        assert "send_unknown" == source.channel.record()["conversation_status"]


def test_the_same_text_of_before_the_intent_is_not_taken(
    source: EventSource, others: Client
) -> None:
    """What stood in the list before the send was announced cannot be what was announced."""
    send(others, ANSWER)
    source.clock.advance(SKEW_SECONDS + 5)
    lose_the_send(source, accepted=False)

    source.run()

    assert "send_unknown" == source.channel.record()["conversation_status"]


@pytest.mark.parametrize("accepted", [True, False], ids=["ours is listed", "ours is not"])
def test_the_same_text_of_another_conversation_is_not_taken(
    source: EventSource, accepted: bool
) -> None:
    """A message that another conversation recorded is that one's; ours is found beside it."""
    lose_the_send(source, accepted=accepted)
    ours = [message["sid"] for message in source.channel.twilio.messages()]
    source.put(context(conversation_id="another"))

    source.run()

    assert "initial_message_sent" == source.channel.record("another")["conversation_status"]
    if accepted:
        assert ours == [sent_sid(source.channel)]
    else:
        assert "send_unknown" == source.channel.record()["conversation_status"]


def test_two_that_wait_for_one_message_of_their_text_call_a_person(source: EventSource) -> None:
    """One of two equal messages was accepted, and nobody can tell which: neither is guessed."""
    lose_the_send(source, accepted=True)
    source.channel.twilio.fail_next(Fault.reset(), match=CREATE)
    source.put(context(conversation_id="another"))
    source.poll()

    source.run()

    states = {
        source.channel.record(name)["conversation_status"] for name in ("conversation-1", "another")
    }
    assert {"send_unknown"} == states
    assert 1 == len(source.channel.phone())


@pytest.mark.parametrize("code", [63016, 63024])
def test_a_message_that_failed_later_is_found_all_the_same(source: EventSource, code: int) -> None:
    """It was accepted, and has a sid: what became of it is for the status callback to tell."""
    twilio = source.channel.twilio
    twilio.fail_next(Fault.reset(effect_applied=True), match=CREATE)
    client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
    source.put(context())
    source.clock.advance(1)
    source.poll()
    twilio.reset()  # Twilio keeps it as one that was not delivered
    twilio.fail_next(Fault.undelivered(code))
    sid = send(client, ANSWER)

    source.run()

    assert "undelivered" == str(client.messages(sid).fetch().status)
    assert sid == sent_sid(source.channel)


@pytest.mark.parametrize("position", [0, 30, 59], ids=["newest", "in the middle", "oldest"])
def test_a_message_on_any_page_of_the_list_is_found(
    source: EventSource, others: Client, position: int
) -> None:
    """Twilio may show fewer messages a page than are asked for: the list is read to its end."""
    source.channel.twilio.settings = TwilioSettings(largest_page=20)
    for number in range(59 - position):
        send(others, {**ANSWER, "2": f"Another message, number {number}."})
    lose_the_send(source, accepted=True)
    (ours,) = [m["sid"] for m in source.channel.twilio.messages() if ANSWER["2"] in m["body"]]
    for number in range(position):
        source.clock.advance(0.1)
        send(others, {**ANSWER, "2": f"A later message, number {number}."})

    source.run()

    assert ours == sent_sid(source.channel)
    assert 3 == looks(source.channel)


def test_free_text_is_found_by_itself(source: EventSource) -> None:
    """Without a template the listed text is the very one that was written."""
    credentials = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    source.channel.set_secret(TWILIO_SECRET, json.dumps(credentials))
    body = context(lambda d: openai_config(d).update(assistant_id_template_sender="free_text"))

    lose_the_send(source, accepted=True, body=body)
    source.run()

    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)


@pytest.mark.parametrize(
    "answer",
    [
        {"1": "王小明", "2": "我们已经收到了您的申请，请问您什么时候方便接听我们的电话？"},
        {"1": "คุณสมชาย", "2": "เราได้รับใบสมัครของคุณแล้ว คุณสะดวกคุยเมื่อไหร่"},
        {"1": "נועה", "2": "קיבלנו את המועמדות שלך, מתי נוח לך לדבר?"},
        {"1": "أمينة", "2": "وصل طلبك إلينا، متى يناسبك أن نتصل بك؟"},
        {"1": "👩‍🚀 René", "2": "Dein Antrag ist da – wann dürfen wir anrufen? 🎂"},
    ],
    ids=["Chinese", "Thai", "Hebrew", "Arabic", "emoji"],
)
def test_a_template_is_matched_in_any_script(source: EventSource, answer: dict[str, str]) -> None:
    """Twilio lists the rendered text, our side knows the values: they are told in every script."""
    source.channel.openai.clear_faults()
    source.channel.openai.fail_next(Fault.misfit(json.dumps(answer)))
    lose_the_send(source, accepted=True)

    source.run()

    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)
