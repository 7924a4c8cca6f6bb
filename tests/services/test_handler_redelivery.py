"""Redelivery in virtual time: backoff, heartbeat, crashed workers, and unresolved sends."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest

from lambda_src import index
from lambda_src.core.contract import DEFAULTS, Variable
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from local.fakes.clock import VirtualClock
from local.fakes.faults import Fault, Match
from local.fakes.twilio import TwilioSettings
from tests.support.aws_account import MAX_RECEIVE_COUNT, fake_twilio
from tests.support.channel import RECIPIENT, Channel, context
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
    [("no JSON", None), (context(), "21211")],
    ids=["no JSON", "refused by the vendor"],
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

DELAYS = (15, 60)
ROUNDING = 1.5
"""A whole second, and the random second that is added to a delay."""


def lose_answer(source: EventSource, *, accepted: bool) -> None:
    """Deliver a message whose send is accepted or not, and whose answer is lost."""
    fault = Fault.reset(effect_applied=accepted)
    source.channel.twilio.fail_next(fault, match=Match(method="POST"))
    source.put(context())
    assert 1 == source.poll()
    assert "sending" == source.channel.status()[0]


def requests(source: EventSource) -> tuple[int, int]:
    """Return the numbers of lookups and of sends."""
    methods = [call.method for call in source.channel.twilio.requests]
    return methods.count("GET"), methods.count("POST")


@pytest.mark.parametrize(("lag", "lookups"), [(0, 1), (15, 2)])
def test_a_listed_message_is_recorded(source: EventSource, lag: float, lookups: int) -> None:
    """It is looked up when its sender has certainly given up, recorded, and deleted."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=lag)
    lose_answer(source, accepted=True)
    assert "send_outcome_pending" in source.channel.events()
    (invisible,) = source.visible_in()
    duration = index.batch_handler().flow.sender.times.max_send_duration
    assert duration - 0.1 <= invisible <= duration + ROUNDING
    source.run()
    (listed,) = source.channel.twilio.messages()
    record = source.channel.record()
    assert ("initial_message_sent", listed["sid"]) == (
        record["conversation_status"],
        record["message_sid"],
    )
    assert (lookups, 1) == requests(source)
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
