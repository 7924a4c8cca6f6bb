"""Redelivery in virtual time: backoff, heartbeat, crashed workers, and unresolved sends."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest
from twilio.rest import Client

from lambda_src import index
from lambda_src.core.contract import DEFAULTS, Variable
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from local.fakes.clock import VirtualClock
from local.fakes.faults import Fault, Match
from local.fakes.twilio import TwilioSettings
from tests.local.fakes.clients import twilio_client
from tests.support.aws_account import MAX_RECEIVE_COUNT, fake_twilio
from tests.support.channel import (
    ACCOUNT,
    FREE_TEXT_SECRET,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
    recipient_data,
)
from tests.support.event_source import EventSource

if TYPE_CHECKING:
    from lambda_src.services.sqs_service import ChannelQueue

INTERVAL = int(DEFAULTS[Variable.HEARTBEAT_INTERVAL_SECONDS])
VISIBILITY = int(DEFAULTS[Variable.HEARTBEAT_VISIBILITY_SECONDS])
BASE = int(DEFAULTS[Variable.BACKOFF_BASE_SECONDS])
QUICK = 0.01
"""Real seconds between heartbeats, where several are needed."""
PATIENCE = 60.0
"""Real seconds that nothing here takes."""
SERVER_ERROR = Fault.error(500, "server_error")
RECEIVES = list(range(1, MAX_RECEIVE_COUNT + 1))


@pytest.fixture
def source(
    channel: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventSource]:
    """The event source mapping, in virtual time, which Twilio uses too."""
    with fake_twilio(clock) as twilio:
        monkeypatch.setenv("TWILIO_BASE_URL", twilio.base_url)
        yield EventSource(replace(channel, twilio=twilio), clock, monkeypatch)


Changes = list[tuple[list[int], bool]]
"""Changes of visibility: the seconds of each message, and whether the heartbeat was active."""


def record_changes(source: EventSource, before: Callable[[], object]) -> Changes:
    """Let there be many heartbeats in little time, and return the changes, which are added."""
    changes: Changes = []

    def record(params: dict[str, Any], **_: object) -> None:
        before()
        seconds = [entry["VisibilityTimeout"] for entry in json.loads(params["body"])["Entries"]]
        names = {thread.name for thread in threading.enumerate()}
        changes.append((seconds, "sqs-heartbeat" in names))

    source.patch.setattr(
        "lambda_src.bootstrap.SQSHeartbeat",
        lambda handles, extend, **_: SQSHeartbeat(handles, extend, QUICK),
    )
    queue = cast("ChannelQueue", index.batch_handler().queue)
    queue._client.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", record)
    return changes


def test_a_failing_message_backs_off_until_its_final_delivery(source: EventSource) -> None:
    """Each time about twice as long, half of it random; then it is a dead-letter message."""
    source.channel.openai.fail_next(SERVER_ERROR, times=MAX_RECEIVE_COUNT)
    source.put(context())
    source.run()
    *waits, _ = source.waits
    full = [min(BASE * 2**number, 900) for number in range(MAX_RECEIVE_COUNT - 1)]
    assert all(most / 2 <= wait <= most + 1 for most, wait in zip(full, waits, strict=True))
    assert RECEIVES == source.receives
    assert [context()] == source.dead_letters()
    assert "receives_used_up" in source.channel.events()


def test_messages_that_failed_together_come_back_separately(source: EventSource) -> None:
    """A batch whose vendor failed does not come back as one."""
    source.channel.openai.fail_next(SERVER_ERROR, times=20)
    source.put(*(context(conversation_id=f"c-{number}") for number in range(10)))
    source.poll()
    source.clock.advance(BASE + 1)
    source.poll()
    assert 20 == len(source.waits)
    assert len({round(wait) for wait in source.waits[10:]}) > 3


def test_the_last_change_of_visibility_is_the_backoff(source: EventSource) -> None:
    """The heartbeat has stopped before, whatever was in progress when the message failed."""
    beats = threading.Semaphore(0)

    def wait_for_beats() -> None:
        for _ in range(4):
            beats.acquire(timeout=PATIENCE)

    changes = record_changes(source, beats.release)
    source.while_generating(wait_for_beats)
    source.channel.openai.fail_next(SERVER_ERROR)
    source.put(context())
    source.poll()

    *extended, ((wait,), is_beating) = changes
    assert len(extended) >= 4
    assert [([VISIBILITY], True)] * len(extended) == extended
    assert not is_beating
    assert BASE / 2 <= wait <= BASE
    assert [wait] == [round(seconds) for seconds in source.visible_in()]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("no JSON", None),
        (context(lambda d: recipient_data(d).update(comms_consent=False)), None),
        (context(), "21211"),
    ],
    ids=["no JSON", "no consent", "refused by the vendor"],
)
def test_a_permanent_failure_is_dead_within_seconds(
    source: EventSource, body: str, fault: str | None
) -> None:
    """Each further receive makes at most one call to the table and none to a vendor."""
    calls: list[str] = []
    if fault:
        source.channel.twilio.fail_next(fault)
    source.put(body)
    source.poll()
    started, vendor_calls = source.clock(), source.channel.vendor_calls()
    source.channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
    )

    source.run()

    assert source.clock() - started < 10
    assert RECEIVES == source.receives
    assert [body] == source.dead_letters()
    assert vendor_calls == source.channel.vendor_calls()
    assert fault or not vendor_calls
    assert len(calls) < len(source.receives)


def test_a_crashed_workers_message_is_sent_within_two_minutes(source: EventSource) -> None:
    """The first heartbeat shortened its visibility, and its lease expires before it is visible."""
    crash = Mock(side_effect=[SystemExit, None])
    source.while_generating(crash)
    source.put(context())
    with pytest.raises(SystemExit):
        source.poll()
    (invisible,) = source.visible_in()
    assert invisible <= VISIBILITY
    crashed_at = source.clock()

    source.run()

    assert source.clock() - crashed_at <= 120
    assert 1 == len(source.channel.phone())
    assert [] == source.dead_letters()


def test_a_message_in_progress_is_never_visible(source: EventSource) -> None:
    """Each heartbeat extends it, and its lease with it."""
    seen: list[float] = []
    enough = threading.Event()

    def pass_time() -> None:
        seen.extend(source.visible_in())
        if len(seen) > 10:
            enough.set()
        else:
            source.clock.advance(INTERVAL)

    record_changes(source, pass_time)
    source.while_generating(lambda: enough.wait(PATIENCE))
    source.seconds_left = 900
    source.put(context())
    started = source.clock()
    source.poll()

    assert source.clock() - started > 2 * VISIBILITY
    assert min(seen) >= VISIBILITY - INTERVAL - 1
    assert 1 == len(source.channel.phone())
    assert [] == source.visible_in()


# --- unresolved sends

SENDER, OTHER_SENDER = "whatsapp:+15550100001", "whatsapp:+15550100009"
ANSWER = {"1": "Amara", "2": "Your application has arrived, and we would like to call you."}
DELAYS = (15, 60)
ROUNDING = 1.5
"""A whole second, and the random second that is added to a delay."""


@pytest.fixture
def client(source: EventSource) -> Client:
    """Another system that sends from the tenant's account."""
    return twilio_client(source.channel.twilio.base_url, ACCOUNT, TOKEN)


def _send(client: Client, answer: dict[str, str], sender: str = SENDER) -> str:
    message = client.messages.create(
        to=f"whatsapp:{RECIPIENT}",
        from_=sender,
        content_sid=TEMPLATE,
        content_variables=json.dumps(answer),
    )
    assert message.sid
    return message.sid


def lose_answer(
    source: EventSource,
    *,
    accepted: bool = True,
    body: str | None = None,
    fault: Fault | None = None,
) -> None:
    """Deliver a message whose send is accepted or not, and whose answer is lost."""
    source.channel.openai.fail_next(Fault.wrong_output(json.dumps(ANSWER)), times=2)
    fault = fault or Fault.reset(effect_applied=accepted)
    source.channel.twilio.fail_next(fault, match=Match(method="POST"))
    source.put(body or context())
    assert 1 == source.poll()
    assert "sending" == source.channel.status()[0]


def requests(source: EventSource) -> tuple[int, int]:
    """Return the numbers of lookups and of sends."""
    methods = [call.method for call in source.channel.twilio.requests]
    return methods.count("GET"), methods.count("POST")


def recorded_sids(source: EventSource) -> list[str]:
    """Return the sid in the record of a sent message, none in that of an unknown send."""
    record = source.channel.record()
    sids = [record["message_sid"]] if "message_sid" in record else []
    assert ("initial_message_sent" if sids else "send_unknown") == record["conversation_status"]
    return sids


def _listed_sids(source: EventSource) -> list[str]:
    return [message["sid"] for message in source.channel.twilio.messages()]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.reset(effect_applied=True),
        Fault.hang(effect_applied=True),
        Fault.empty(),
        Fault.not_json(502, effect_applied=True),
    ],
    ids=["reset", "timeout", "empty answer", "bad gateway"],
)
def test_a_listed_message_is_recorded(source: EventSource, fault: Fault) -> None:
    """It is looked up when its sender has certainly given up, recorded, and deleted."""
    lose_answer(source, fault=fault)
    assert "send_outcome_pending" in source.channel.events()
    (invisible,) = source.visible_in()
    duration = index.batch_handler().flow.sender.times.max_send_duration
    assert duration - 0.1 <= invisible <= duration + ROUNDING
    source.run()
    assert _listed_sids(source) == recorded_sids(source)
    assert ((1, 1), 1) == (requests(source), len(source.channel.phone()))
    assert [] == source.dead_letters()


def test_a_missing_message_is_looked_up_with_increasing_delays(source: EventSource) -> None:
    """Then it is marked unknown with an alarm, and is dead within seconds."""
    lose_answer(source, accepted=False)
    while source.channel.status()[0] != "send_unknown":
        source.clock.advance(max(source.visible_in()) + 0.01)
        source.poll()
    marked_at, calls = source.clock(), source.channel.vendor_calls()
    line = source.channel.events()["send_outcome_unknown"]
    assert "CRITICAL" == line["level"]
    assert RECIPIENT not in json.dumps(line)

    source.run()

    _, *waits, last = source.waits[: len(DELAYS) + 2]
    pairs = zip(DELAYS, waits, strict=True)
    assert all(delay <= wait <= delay + ROUNDING for delay, wait in pairs)
    assert pytest.approx(0, abs=0.001) == last
    assert (len(DELAYS) + 1, 1) == requests(source)
    assert source.clock() - marked_at < 10
    assert calls == source.channel.vendor_calls()
    assert RECEIVES == source.receives
    assert [context()] == source.dead_letters()
    assert [] == source.channel.phone()


@pytest.mark.parametrize(("lag", "lookups"), [(5, 1), (15, 2), (60, 3)])
def test_a_message_listed_late_is_found(source: EventSource, lag: float, lookups: int) -> None:
    """Within the delays, and never sent again."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=lag)
    lose_answer(source)
    source.run()
    assert (lookups, 1) == requests(source)
    assert _listed_sids(source) == recorded_sids(source)


def test_a_message_listed_too_late_is_not_sent_again(source: EventSource) -> None:
    """An operator decides."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=3_600)
    lose_answer(source)
    source.run()
    assert "send_outcome_unknown" in source.channel.events()
    assert (1, 1) == (requests(source)[1], len(source.channel.phone()))
    assert [context()] == source.dead_letters()


def test_a_duplicate_on_the_queue_does_not_shorten_the_schedule(source: EventSource) -> None:
    """Two messages of one conversation look it up no earlier than one, and mark it once."""
    started = source.clock()
    lose_answer(source, accepted=False)
    calls = source.channel.vendor_calls()
    source.put(context())
    source.poll()
    assert calls == source.channel.vendor_calls()
    source.run()
    assert source.clock() - started >= sum(DELAYS)
    assert len(DELAYS) == source.channel.record()["settle_looks"]
    assert [context(), context()] == source.dead_letters()


# --- which

FREE_TEXT = {"from_": SENDER, "body": "Hello Amara! Your application is late."}
OTHERS: dict[str, Callable[[EventSource, Client], object]] = {
    "text": lambda _, client: _send(client, {**ANSWER, "2": "Another text to Amara."}),
    "name": lambda _, client: _send(client, {**ANSWER, "1": "Amaranth"}),
    "sender": lambda _, client: _send(client, ANSWER, OTHER_SENDER),
    "free text": lambda _, client: client.messages.create(to=f"whatsapp:{RECIPIENT}", **FREE_TEXT),
    "conversation": lambda source, _: source.put(context(conversation_id="another")),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("accepted", [True, False], ids=["listed", "not listed"])
def test_other_messages_to_the_recipient_are_not_taken(
    source: EventSource, client: Client, kind: str, accepted: bool
) -> None:
    """Another text or sender, or another conversation's; whether or not ours is listed."""
    lose_answer(source, accepted=accepted)
    sids = _listed_sids(source)
    OTHERS[kind](source, client)
    source.run()
    assert sids == recorded_sids(source)
    if kind == "conversation":
        assert ("initial_message_sent", None) == source.channel.status("another")


def test_the_same_text_from_before_the_intent_is_not_taken(
    source: EventSource, client: Client
) -> None:
    """It was listed before the send could begin."""
    _send(client, ANSWER)
    source.clock.advance(CLOCK_SKEW_SECONDS + 5)
    lose_answer(source, accepted=False)
    source.run()
    assert [] == recorded_sids(source)


def test_one_message_for_two_conversations_is_not_taken(source: EventSource) -> None:
    """One of two equal messages was accepted, and it cannot be determined which."""
    lose_answer(source)
    source.channel.twilio.fail_next(Fault.reset(), match=Match(method="POST"))
    source.put(context(conversation_id="another"))
    source.poll()
    source.run()
    assert [] == recorded_sids(source)
    assert "send_unknown" == source.channel.status("another")[0]
    assert 1 == len(source.channel.phone())


@pytest.mark.parametrize("code", [63016, 63024])
def test_an_undelivered_message_is_found(source: EventSource, client: Client, code: int) -> None:
    """It was accepted and has a sid; the status callback reports the rest."""
    lose_answer(source)
    source.channel.twilio.reset()  # replaced by one that was not delivered
    source.channel.twilio.fail_next(Fault.undelivered(code))
    sid = _send(client, ANSWER)
    source.run()
    assert "undelivered" == str(client.messages(sid).fetch().status)
    assert [sid] == recorded_sids(source)


@pytest.mark.parametrize("newer", [0, 30, 59], ids=["newest", "in the middle", "oldest"])
def test_a_message_on_any_page_of_the_list_is_found(
    source: EventSource, client: Client, newer: int
) -> None:
    """Twilio's pages may be smaller than requested: the list is read to its end."""
    source.channel.twilio.settings = TwilioSettings(max_page_size=20)
    for number in range(59 - newer):
        _send(client, {**ANSWER, "2": f"Another message, number {number}."})
    lose_answer(source)
    ours = [m["sid"] for m in source.channel.twilio.messages() if ANSWER["2"] in m["body"]]
    for number in range(newer):
        source.clock.advance(0.1)
        _send(client, {**ANSWER, "2": f"A later message, number {number}."})
    source.run()
    assert ours == recorded_sids(source)
    assert 3 == requests(source)[0]


def test_free_text_is_found_by_itself(source: EventSource) -> None:
    """The listed text is exactly what was written, and what is recorded."""
    source.channel.set_secret(TWILIO_SECRET, FREE_TEXT_SECRET)
    body = context(lambda d: openai_config(d).update(assistant_id_template_sender="free_text"))
    lose_answer(source, body=body)
    source.run()
    assert _listed_sids(source) == recorded_sids(source)
    assert source.channel.phone() == [source.channel.record()["messages"][0]["content"]]


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
    """Twilio lists the rendered text, our side has the values."""
    source.channel.openai.fail_next(Fault.wrong_output(json.dumps(answer)))
    lose_answer(source)
    source.run()
    assert _listed_sids(source) == recorded_sids(source)
