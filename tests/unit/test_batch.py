"""A batch: each message fails alone, all are processed at once, and the function's time is kept."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_src import index
from lambda_src.core import time_budget
from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import Metric, Status, Variable
from lambda_src.core.deadlines import thread_pool
from lambda_src.core.ledger import Failure, Lease
from lambda_src.core.log import LOG_FIELDS
from lambda_src.core.models import Delivery, GenerationRequest
from lambda_src.core.settings import ConfigurationError
from tests.support.clock import START
from tests.support.contexts import body, changed, valid
from tests.support.logs import LogLines
from tests.support.runtime import FUNCTION_TIMEOUT, FakeRuntime

CONVERSATION = "conversation_data.conversation_id"
REFUSED = body(
    changed(
        "frontend_payload.recipient_data.comms_consent", False, changed(CONVERSATION, "refused")
    )
)
PATIENCE = 60.0
"""Seconds after which a test gives up waiting for a thread; none takes that long."""


def _message(runtime: FakeRuntime, number: int, receive_count: int = 1) -> Delivery:
    text = body(changed(CONVERSATION, f"conversation-{number}"))
    return runtime.delivery(text, message_id=f"message-{number}", receive_count=receive_count)


def _handle(runtime: FakeRuntime, *deliveries: Delivery) -> list[str]:
    return runtime.batch().handle(deliveries)


def _conversation_of(request: GenerationRequest) -> str:
    return request.metadata["conversation_id"]


def test_one_message_fails_alone(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """Failures are reported in the batch's order, and the other messages are sent."""
    refused = [runtime.delivery(REFUSED, message_id=f"refused-{n}") for n in (3, 1)]
    failed = _handle(runtime, refused[0], _message(runtime, 1), refused[1], _message(runtime, 2))
    assert ["refused-3", "refused-1"] == failed
    assert 2 == len(runtime.sender.sent)
    line = log_lines.of("batch_finished")
    assert (4, 2) == (line["messages"], line["failed"])
    counts = runtime.metrics.counts
    assert (4, 2, 2) == (
        counts[Metric.MESSAGES_RECEIVED],
        counts[Metric.MESSAGES_SENT],
        counts[Metric.MESSAGES_FAILED],
    )


def test_a_failed_heartbeat_reports_a_message_once(runtime: FakeRuntime) -> None:
    """A sent message may be delivered again already: it is reported, and acknowledged later."""
    runtime.heartbeat.failed_ids = frozenset({"message-1", "refused"})
    refused = runtime.delivery(REFUSED, message_id="refused")
    failed = _handle(runtime, _message(runtime, 1), _message(runtime, 2), refused)
    assert ["message-1", "refused"] == failed
    assert 2 == len(runtime.sender.sent)
    assert ["handle-of-refused-1"] == list(runtime.queue.delays)
    assert 2 == runtime.metrics.counts[Metric.HEARTBEAT_FAILURES]


def test_the_heartbeat_covers_every_message_until_the_last_ends(runtime: FakeRuntime) -> None:
    """It stops before the visibility is changed, since a late beat would undo the backoff."""
    covered: list[dict[str, str]] = []
    runtime.while_generating(lambda: covered.append(dict(runtime.heartbeat.receipt_handles)))
    refused = runtime.delivery(REFUSED, message_id="refused")
    _handle(runtime, _message(runtime, 1), _message(runtime, 2), refused)
    expected = {d: f"handle-of-{d}-1" for d in ("message-1", "message-2", "refused")}
    assert [expected, expected] == covered
    assert ["heartbeat started", "heartbeat stopped", "visibility changed"] == runtime.journal


def test_the_heartbeat_stops_if_the_batch_is_aborted(runtime: FakeRuntime) -> None:
    """An exception that no message may catch ends the heartbeat, too."""

    def exit_process() -> None:
        raise SystemExit

    runtime.while_generating(exit_process)
    with pytest.raises(SystemExit):
        _handle(runtime, _message(runtime, 1))
    assert ["heartbeat started", "heartbeat stopped"] == runtime.journal


# --- concurrency


@pytest.mark.parametrize(("messages", "concurrency"), [(2, 10), (10, 10), (9, 3), (3, 1)])
def test_messages_are_processed_at_once_up_to_the_limit(
    runtime: FakeRuntime, messages: int, concurrency: int
) -> None:
    """As many as configured wait for the AI at the same time, and all are sent."""
    size = min(messages, concurrency)
    barrier = Barrier(size, timeout=PATIENCE)
    waiting: list[int] = []
    counts: set[int] = set()

    def generate() -> None:
        waiting.append(1)
        barrier.wait()
        counts.add(len(waiting))
        barrier.wait()
        waiting.pop()

    runtime.while_generating(generate)
    deliveries = [_message(runtime, number) for number in range(messages)]
    assert [] == runtime.batch(concurrency).handle(deliveries)
    assert (size, messages) == (max(counts), len(runtime.sender.sent))


def test_each_thread_logs_its_own_ids(runtime: FakeRuntime) -> None:
    """While all messages are in progress, each has its own ids, which end with it."""
    barrier = Barrier(8, timeout=PATIENCE)
    seen: set[tuple[str, str, str]] = set()

    def generate(request: GenerationRequest) -> None:
        barrier.wait()
        ids = LOG_FIELDS.get()
        seen.add((_conversation_of(request), ids["conversation_id"], ids["sqs_message_id"]))

    runtime.generator.during = generate
    runtime.batch(8).handle([_message(runtime, number) for number in range(8)])
    assert {(f"conversation-{n}", f"conversation-{n}", f"message-{n}") for n in range(8)} == seen
    assert {} == LOG_FIELDS.get({})


# --- the function's time


@pytest.mark.parametrize(
    "seconds",
    [0.0, 5.0, time_budget.MARGIN_SECONDS + 1, time_budget.MIN_START_SECONDS - 0.1],
)
def test_nothing_starts_too_late(runtime: FakeRuntime, log_lines: LogLines, seconds: float) -> None:
    """Not even a heartbeat, which takes time to stop: the messages come back at once."""
    runtime.deadline = runtime.clock() + seconds
    assert ["message-1", "message-2"] == _handle(
        runtime, _message(runtime, 1), _message(runtime, 2)
    )
    assert [] == [entry for entry in runtime.journal if entry.startswith("heartbeat")]
    assert ["out_of_time"] * 2 == [e for e in log_lines.events if not e.startswith("batch")]
    assert {} == runtime.store.records
    if seconds > time_budget.MARGIN_SECONDS:
        first, second = runtime.queue.delays.values()
        assert {first, second} <= {0, 1}


def test_a_message_that_is_late_is_not_started(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """The one before it took the function's time: it comes back at once."""
    late = FUNCTION_TIMEOUT - time_budget.MIN_START_SECONDS + 0.1
    runtime.while_generating(lambda: runtime.clock.advance(late))
    failed = runtime.batch(1).handle([_message(runtime, 1), _message(runtime, 2)])
    assert ["message-1", "message-2"] == failed
    lines = [line for line in log_lines.all if line["event"] == "out_of_time"]
    assert "message-2" in {line["sqs_message_id"] for line in lines}
    assert {"conversation-1"} == {key.conversation_id for key in runtime.store.records}


class Hang:
    """What the AI does until it is released; `calls` has one entry for each that has begun."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.released = Event()

    def __call__(self, request: GenerationRequest) -> None:
        """Hang."""
        self.calls.append(request)
        self.released.wait(PATIENCE)

    def batch(self, runtime: FakeRuntime, unfinished: int, concurrency: int = 10) -> BatchHandler:
        """Return a handler whose time is over when all but so many messages are done.

        As many of these as there are threads hang then. The handler's last calls are in time.
        """
        expiring = partial(_ExpiringPool, hang=self, unfinished=unfinished)
        pools: Iterator[Callable[[int], Executor]] = iter([expiring, thread_pool])

        def pool(workers: int) -> Executor:
            return next(pools)(workers)

        return runtime.batch(concurrency, pool=pool)


class _ExpiringPool(ThreadPoolExecutor):
    def __init__(self, workers: int, hang: Hang, unfinished: int) -> None:
        super().__init__(workers)
        self._hang, self._unfinished = hang, unfinished
        self._hanging = min(workers, unfinished)

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        futures = [self.submit(fn, *items) for items in zip(*iterables, strict=True)]

        def is_over() -> bool:
            unfinished = sum(not future.done() for future in futures)
            return (self._hanging, self._unfinished) == (len(self._hang.calls), unfinished)

        until = time.monotonic() + PATIENCE
        while not is_over():
            assert time.monotonic() < until
            time.sleep(0.001)
        raise TimeoutError


@pytest.fixture
def hang(runtime: FakeRuntime) -> Iterator[Hang]:
    """The AI hangs until the test's end, and the abandoned threads end before the next test."""
    hang = Hang()
    runtime.generator.during = hang
    others = set(threading.enumerate())
    yield hang
    hang.released.set()
    for thread in set(threading.enumerate()) - others:
        if not thread.name.startswith("deadline"):  # these are kept for the next calls
            thread.join(PATIENCE)


def test_hanging_work_is_abandoned(runtime: FakeRuntime, hang: Hang, log_lines: LogLines) -> None:
    """The batch returns, and logs that each message was in progress."""
    batch = hang.batch(runtime, unfinished=2)
    assert ["message-1", "message-2"] == batch.handle([_message(runtime, 1), _message(runtime, 2)])
    abandoned = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "cut_off"]
    assert ["message-1", "message-2"] == abandoned
    assert ["heartbeat started", "heartbeat stopped", "visibility changed"] == runtime.journal


def test_messages_behind_a_hanging_one_come_back_at_once(
    runtime: FakeRuntime, hang: Hang, log_lines: LogLines
) -> None:
    """With one worker for three messages, two never start and have no lease."""
    batch = hang.batch(runtime, unfinished=3, concurrency=1)
    failed = batch.handle([_message(runtime, number) for number in (1, 2, 3)])
    assert ["message-1", "message-2", "message-3"] == failed
    late = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "out_of_time"]
    assert ["message-2", "message-3"] == late
    delays = runtime.queue.delays
    assert {0, 1} >= {delays[f"handle-of-message-{number}-1"] for number in (2, 3)}
    assert {"conversation-1"} == {key.conversation_id for key in runtime.store.records}


def test_finished_messages_count_although_another_hangs(runtime: FakeRuntime, hang: Hang) -> None:
    """One message is sent and may be deleted; the hanging one comes back."""
    runtime.generator.during = lambda request: (
        hang(request) if _conversation_of(request) == "conversation-1" else None
    )
    batch = hang.batch(runtime, unfinished=1)
    assert ["message-1"] == batch.handle([_message(runtime, 1), _message(runtime, 2)])
    assert 1 == len(runtime.sender.sent)


def test_an_abandoned_message_sends_nothing_later(runtime: FakeRuntime, hang: Hang) -> None:
    """If its thread goes on, the answer is stored, nothing is sent, and it counts once."""
    ended = Event()
    record_failure = runtime.store.record_failure

    def record_and_signal(lease: Lease, failure: Failure) -> None:
        record_failure(lease, failure)
        ended.set()

    runtime.store.record_failure = record_and_signal  # type: ignore[method-assign]
    hang.batch(runtime, unfinished=1).handle([_message(runtime, 1)])
    runtime.clock.advance(FUNCTION_TIMEOUT)
    (key,) = runtime.store.records
    hang.released.set()
    assert ended.wait(PATIENCE)
    record = runtime.store.records[key]
    assert (Status.RETRY, 0) == (record.status, runtime.sender.attempts)
    assert record.answer
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_RETRIED]


def test_messages_with_the_fewest_deliveries_left_start_first(runtime: FakeRuntime) -> None:
    """A final delivery must reconcile what it finds, and does not wait for the others."""
    started: list[str] = []
    runtime.generator.during = lambda request: started.append(_conversation_of(request))
    runtime.queue.max_receives = 100
    runtime.batch(1).handle([_message(runtime, number, number) for number in (1, 9, 5)])
    assert ["conversation-9", "conversation-5", "conversation-1"] == started


# --- the event and the handler


def _sqs_record(message_id: str, text: str, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-of-{message_id}",
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1800000000250",
        },
    }


def test_a_record_becomes_a_delivery_with_its_own_owner() -> None:
    """Ids, body, count and times are the event's; each delivery has another fencing token."""
    record = _sqs_record("m", "{}", receive_count=3)
    delivery = Delivery.from_record(record, 42.0)
    expected = Delivery("m", "handle-of-m", "{}", 3, 42.0, START + 0.25, owner=delivery.owner)
    assert asdict(expected) == asdict(delivery)
    assert 100 == len({Delivery.from_record(record, 0).owner for _ in range(100)})


def _invoke(*records: dict[str, Any]) -> dict[str, Any]:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 250_500)
    return index.lambda_handler({"Records": list(records)}, context)


def test_the_answer_has_sqs_form(runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failures are always a list: without it the whole batch would come back."""
    monkeypatch.setattr(index, "batch_handler", runtime.batch)
    assert {"batchItemFailures": []} == _invoke(_sqs_record("good", body(valid())))
    expected = {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert expected == _invoke(_sqs_record("good", body(valid()), 2), _sqs_record("bad", "x"))
    assert 1 == len(runtime.sender.sent)


def test_a_start_that_fails_raises(runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an event of another form nor a missing configuration counts as done."""
    monkeypatch.setattr(index, "batch_handler", runtime.batch)
    with pytest.raises(KeyError):
        _invoke({"messageId": "m"})
    monkeypatch.undo()
    for name in Variable:
        monkeypatch.delenv(name, raising=False)
    index.batch_handler.cache_clear()
    with pytest.raises(ConfigurationError, match=r"CHANNEL.*QUEUE_URL.*CONVERSATIONS_TABLE"):
        _invoke(_sqs_record("good", body(valid())))
