"""What the queue is told of each message: kept while it is worked on, given back in its time."""

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
from lambda_src.core.message import Answer, Assignment
from lambda_src.core.ports import Writer
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from local.stand_ins.faults import Fault
from local.stand_ins.virtual import VirtualClock
from tests.faults.variants.altering import with_drafting
from tests.services.account import MAX_RECEIVE_COUNT
from tests.services.channel import Channel, context, recipient_data
from tests.services.event_source import EventSource

if TYPE_CHECKING:
    from lambda_src.services.dynamodb_service import ConversationsTable
    from lambda_src.services.sqs_service import ChannelQueue

INTERVAL = int(DEFAULTS[Variable.HEARTBEAT_INTERVAL_SECONDS])
VISIBILITY = int(DEFAULTS[Variable.HEARTBEAT_VISIBILITY_SECONDS])
BASE = int(DEFAULTS[Variable.BACKOFF_BASE_SECONDS])
QUICK = 0.01
"""Real seconds between beats, where several are waited for."""
PLENTY = 60.0
"""Real seconds that nothing here takes."""


@dataclass(frozen=True)
class Change:
    """A change of visibility on the wire: seconds by receipt handle, and the threads then alive."""

    seconds: dict[str, int]
    threads: frozenset[str]


@pytest.fixture
def source(channel: Channel, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> EventSource:
    """The event source mapping, in virtual time."""
    return EventSource(channel, clock, monkeypatch)


def listen(handler: BatchHandler, changes: list[Change], happens: Callable[[], object]) -> None:
    """Note each change of visibility as it goes out, and let something happen before it does."""

    def note(params: dict[str, Any], **_: object) -> None:
        happens()
        entries = json.loads(params["body"])["Entries"]
        changes.append(
            Change(
                {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in entries},
                frozenset(thread.name for thread in threading.enumerate()),
            )
        )

    client = cast("ChannelQueue", handler.queue)._client
    client.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", note)


def beating_fast(handler: BatchHandler) -> BatchHandler:
    """The handler with many beats in little time."""
    queue = cast("ChannelQueue", handler.queue)
    return replace(handler, heartbeat=partial(SQSHeartbeat, extend=queue.extend, interval=QUICK))


@dataclass(frozen=True)
class During:
    """A writer while whose work something happens."""

    writer: Writer
    happens: Callable[[], object]

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Let it happen, then write."""
        self.happens()
        return self.writer.write(api_key, assignment)


def while_writing(handler: BatchHandler, happens: Callable[[], object]) -> BatchHandler:
    """The handler with something that happens while the AI writes."""
    return with_drafting(handler, lambda d: replace(d, writer=During(d.writer, happens)))


def test_a_failing_message_backs_off_by_its_receives(source: EventSource) -> None:
    """Each time about twice as long, half of it by chance; the last receive ends it at once."""
    fault = Fault.error(500, "server_error")
    source.channel.openai.add_rule(source.channel.openai.rule(fault, times=None))
    source.put(context())

    source.run()

    *waits, _ = source.waits
    full = [min(BASE * 2**number, 900) for number in range(MAX_RECEIVE_COUNT - 1)]
    assert [True] * len(full) == [
        most / 2 <= wait <= most + 1 for most, wait in zip(full, waits, strict=False)
    ]
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives
    assert [context()] == source.dead_letters()
    assert "receives_used_up" in source.channel.events()


def test_messages_that_failed_together_come_back_apart(source: EventSource) -> None:
    """A batch whose vendor failed does not fall upon it again as one."""
    source.channel.openai.fail_next(Fault.error(500, "server_error"), times=10)
    source.channel.openai.fail_next(Fault.error(500, "server_error"), times=10)
    source.put(*(context(conversation_id=f"c-{number}") for number in range(10)))
    source.clock.advance(1)
    source.poll()
    source.clock.advance(BASE)
    source.poll()

    assert 20 == len(source.waits)
    assert len({round(wait) for wait in source.waits[10:]}) > 3


def test_the_last_word_on_the_wire_is_the_backoff(source: EventSource) -> None:
    """When it goes out the heart has stopped, whatever beat was under way when the work failed."""
    changes: list[Change] = []
    beats = threading.Semaphore(0)

    def alter(handler: BatchHandler) -> BatchHandler:
        listen(handler, changes, beats.release)
        return while_writing(
            beating_fast(handler), lambda: [beats.acquire(timeout=PLENTY) for _ in range(4)]
        )

    source.alter = alter
    source.channel.openai.fail_next(Fault.error(500, "server_error"))
    source.put(context())
    source.clock.advance(1)
    source.poll()

    *kept, last = changes
    assert len(kept) >= 4
    assert {VISIBILITY} == {seconds for beat in kept for seconds in beat.seconds.values()}
    assert all("sqs-heartbeat" in beat.threads for beat in kept)
    assert "sqs-heartbeat" not in last.threads
    (wait,) = last.seconds.values()
    assert BASE / 2 <= wait <= BASE
    assert [wait] == [round(seconds) for seconds in source.visible_in()]


REFUSED: dict[str, str] = {
    "no JSON": "no JSON",
    "no consent": context(lambda d: recipient_data(d).update(comms_consent=False)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_for_good_is_dead_within_seconds(source: EventSource, kind: str) -> None:
    """As many receives as the queue allows, each with one call to the table at most."""
    calls: list[str] = []
    source.put(REFUSED[kind])
    source.clock.advance(1)
    begun = source.clock()

    def alter(handler: BatchHandler) -> BatchHandler:
        table = cast("ConversationsTable", handler.flow.final_record.conversations)
        table._client.meta.events.register(
            "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
        )
        return handler

    source.alter = alter
    source.run()

    assert source.clock() - begun < 10
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives
    assert [REFUSED[kind]] == source.dead_letters()
    assert 0 == source.channel.vendor_calls()
    assert len(calls) <= len(source.receives)


def test_what_a_vendor_refuses_for_good_is_dead_within_seconds(source: EventSource) -> None:
    """The vendor is asked once, and the record answers every further receive."""
    source.channel.twilio.fail_next("21211")
    source.put(context())
    source.clock.advance(1)
    source.poll()
    begun, calls = source.clock(), source.channel.vendor_calls()

    source.run()

    assert source.clock() - begun < 10
    assert calls == source.channel.vendor_calls()
    assert [context()] == source.dead_letters()


@pytest.fixture
def crashing(source: EventSource) -> EventSource:
    """The next worker dies while the AI writes, as a killed process does: nothing is said of it."""
    crashes = iter([SystemExit()])

    def crash() -> None:
        for crash in crashes:
            raise crash

    source.alter = lambda handler: while_writing(handler, crash)
    return source


def test_a_crashed_workers_message_is_sent_within_two_minutes(crashing: EventSource) -> None:
    """Its visibility was shrunk by the first beat, and its lease ends before it is seen again."""
    crashing.put(context())
    crashing.clock.advance(1)
    with pytest.raises(SystemExit):
        crashing.poll()
    (hidden,) = crashing.visible_in()
    assert hidden <= VISIBILITY
    crashed_at = crashing.clock()

    crashing.run()

    assert crashing.clock() - crashed_at <= 120
    assert 1 == len(crashing.channel.phone())
    assert [] == crashing.dead_letters()


def test_a_message_at_work_is_hidden_however_long_it_takes(source: EventSource) -> None:
    """Beat for beat its end is put off, and its lease with it; nobody else ever sees it."""
    changes: list[Change] = []
    seen: list[float] = []
    enough = Event()

    def pass_time() -> None:
        seen.extend(source.visible_in())
        if len(changes) < 10:
            source.clock.advance(INTERVAL)
        else:
            enough.set()

    def alter(handler: BatchHandler) -> BatchHandler:
        listen(handler, changes, pass_time)
        return while_writing(beating_fast(handler), lambda: enough.wait(PLENTY))

    source.alter = alter
    source.put(context())
    source.clock.advance(1)
    begun = source.clock()
    source.poll()

    assert source.clock() - begun > 2 * VISIBILITY
    assert min(seen) >= VISIBILITY - INTERVAL - 1
    assert 1 == len(source.channel.phone())
    assert [] == source.visible_in()
