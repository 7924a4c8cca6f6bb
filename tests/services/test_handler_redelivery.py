"""Redelivery in virtual time: visibility during and after processing, and crashed workers."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest

from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import DEFAULTS, Variable
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from local.fakes.clock import VirtualClock
from local.fakes.faults import Fault
from tests.support.aws_account import MAX_RECEIVE_COUNT
from tests.support.channel import Channel, context, recipient_data
from tests.support.event_source import EventSource, while_generating

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


@dataclass(frozen=True)
class Change:
    """A change of visibility: seconds by receipt handle, and the threads alive at that time."""

    seconds: dict[str, int]
    threads: frozenset[str]


@pytest.fixture
def source(channel: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> EventSource:
    """The event source mapping, in virtual time."""
    return EventSource(channel, clock, monkeypatch)


def record_changes(
    handler: BatchHandler, changes: list[Change], before: Callable[[], object]
) -> BatchHandler:
    """Return the handler with many heartbeats in little time; record its visibility changes."""

    def record(params: dict[str, Any], **_: object) -> None:
        before()
        entries = json.loads(params["body"])["Entries"]
        changes.append(
            Change(
                {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in entries},
                frozenset(thread.name for thread in threading.enumerate()),
            )
        )

    queue = cast("ChannelQueue", handler.queue)
    queue._client.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", record)
    return replace(handler, heartbeat=partial(SQSHeartbeat, extend=queue.extend, interval=QUICK))


def test_a_failing_message_backs_off_until_its_final_delivery(source: EventSource) -> None:
    """Each time about twice as long, half of it random; then it is a dead-letter message."""
    source.channel.openai.add_rule(source.channel.openai.rule(SERVER_ERROR, times=None))
    source.put(context())
    source.run()
    *waits, _ = source.waits
    full = [min(BASE * 2**number, 900) for number in range(MAX_RECEIVE_COUNT - 1)]
    assert [True] * len(full) == [
        maximum / 2 <= wait <= maximum + 1 for maximum, wait in zip(full, waits, strict=False)
    ]
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives
    assert [context()] == source.dead_letters()
    assert "receives_used_up" in source.channel.events()


def test_messages_that_failed_together_come_back_separately(source: EventSource) -> None:
    """A batch whose vendor failed does not come back as one."""
    source.channel.openai.fail_next(SERVER_ERROR, times=20)
    source.put(*(context(conversation_id=f"c-{number}") for number in range(10)))
    source.poll()
    source.clock.advance(BASE)
    source.poll()
    assert 20 == len(source.waits)
    assert len({round(wait) for wait in source.waits[10:]}) > 3


def test_the_last_change_of_visibility_is_the_backoff(source: EventSource) -> None:
    """The heartbeat has stopped before, whatever was in progress when the message failed."""
    changes: list[Change] = []
    beats = threading.Semaphore(0)

    def wait_for_beats() -> None:
        for _ in range(4):
            beats.acquire(timeout=PATIENCE)

    source.alter = lambda handler: while_generating(
        record_changes(handler, changes, beats.release), wait_for_beats
    )
    source.channel.openai.fail_next(SERVER_ERROR)
    source.put(context())
    source.poll()

    *extended, last = changes
    assert len(extended) >= 4
    assert {VISIBILITY} == {seconds for beat in extended for seconds in beat.seconds.values()}
    assert all("sqs-heartbeat" in beat.threads for beat in extended)
    assert "sqs-heartbeat" not in last.threads
    (wait,) = last.seconds.values()
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
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives
    assert [body] == source.dead_letters()
    assert vendor_calls == source.channel.vendor_calls()
    assert fault or not vendor_calls
    assert len(calls) < len(source.receives)


def test_a_crashed_workers_message_is_sent_within_two_minutes(source: EventSource) -> None:
    """The first heartbeat shortened its visibility, and its lease expires before it is visible."""
    crashes = iter([SystemExit()])

    def crash() -> None:
        for error in crashes:
            raise error

    source.alter = lambda handler: while_generating(handler, crash)
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
    changes: list[Change] = []
    seen: list[float] = []
    enough = Event()

    def pass_time() -> None:
        seen.extend(source.visible_in())
        if len(changes) < 10:
            source.clock.advance(INTERVAL)
        else:
            enough.set()

    source.alter = lambda handler: while_generating(
        record_changes(handler, changes, pass_time), lambda: enough.wait(PATIENCE)
    )
    source.seconds_left = 900
    source.put(context())
    started = source.clock()
    source.poll()

    assert source.clock() - started > 2 * VISIBILITY
    assert min(seen) >= VISIBILITY - INTERVAL - 1
    assert 1 == len(source.channel.phone())
    assert [] == source.visible_in()
