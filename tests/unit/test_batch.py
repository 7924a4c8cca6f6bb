"""A batch: each message fails alone, all are processed at once, and the function's time is kept."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from functools import partial
from threading import Barrier, Event, Lock, Semaphore
from typing import Any

import pytest

from lambda_src import index
from lambda_src.core import time_budget
from lambda_src.core.batch import BatchHandler, thread_pool
from lambda_src.core.contract import Metric, Status, Step, Variable
from lambda_src.core.errors import RateLimited, TransientFailure
from lambda_src.core.ledger import Failure, Lease
from lambda_src.core.log import LOG_FIELDS
from lambda_src.core.models import Delivery, GenerationRequest
from lambda_src.core.settings import ConfigurationError
from tests.support.clock import START
from tests.support.contexts import body, changed, valid
from tests.support.fakes import Fault, UnexpectedTestError
from tests.support.logs import LogLines
from tests.support.runtime import FUNCTION_TIMEOUT, FakeRuntime

REFUSED = body(
    changed(
        "frontend_payload.recipient_data.comms_consent",
        False,
        changed("conversation_data.conversation_id", "refused"),
    )
)
PATIENCE = 60.0
"""Seconds after which a test gives up waiting for a thread; none takes that long."""


def message(runtime: FakeRuntime, number: int, receive_count: int = 1) -> Delivery:
    """Return a delivery of the default context object in that number's conversation."""
    document = changed("conversation_data.conversation_id", f"conversation-{number}")
    return runtime.delivery(
        body(document), message_id=f"message-{number}", receive_count=receive_count
    )


def handle(runtime: FakeRuntime, *deliveries: Delivery) -> list[str]:
    """Return the ids of the messages that must not be deleted."""
    return runtime.batch().handle(deliveries)


def conversation_of(request: GenerationRequest) -> str:
    """Return the conversation that the AI writes for."""
    return request.metadata["conversation_id"]


def test_sent_messages_may_be_deleted(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """A batch without failures reports none, and changes no visibility."""
    assert [] == handle(runtime)
    assert [] == handle(runtime, *[message(runtime, number) for number in range(5)])
    assert (5, {}) == (len(runtime.sender.sent), runtime.queue.delays)
    finished = [line for line in log_lines.all if line["event"] == "batch_finished"]
    assert [(0, 0), (5, 0)] == [(line["messages"], line["failed"]) for line in finished]


def test_one_message_fails_alone(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """Failures are reported in the batch's order, and the other messages are sent."""
    refused = [runtime.delivery(REFUSED, message_id=f"refused-{n}") for n in (3, 1)]
    failed = handle(runtime, refused[0], message(runtime, 1), refused[1], message(runtime, 2))
    assert ["refused-3", "refused-1"] == failed
    assert 2 == len(runtime.sender.sent)
    line = log_lines.of("batch_finished")
    assert (4, 2) == (line["messages"], line["failed"])
    assert 4 == runtime.metrics.counts[Metric.MESSAGES_RECEIVED]
    assert (2, 2) == (
        runtime.metrics.counts[Metric.MESSAGES_SENT],
        runtime.metrics.counts[Metric.MESSAGES_FAILED],
    )


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "null", "{}", '{"a": NaN}'])
def test_any_body_is_a_reported_failure(runtime: FakeRuntime, text: str) -> None:
    """A body that cannot be read calls no vendor, and moves to the dead-letter queue at once."""
    assert ["message-1"] == handle(runtime, runtime.delivery(text))
    assert {"handle-of-message-1-1": 0} == runtime.queue.delays
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)


@pytest.mark.parametrize("call", ["create", "record_intent", "record_sent"])
def test_an_unexpected_error_fails_one_message(runtime: FakeRuntime, call: str) -> None:
    """It never leaves the batch, and the other message is sent."""
    runtime.store.fail(call, Fault.UNEXPECTED)
    (failed,) = handle(runtime, message(runtime, 1), message(runtime, 2))
    assert [f"handle-of-{failed}-1"] == list(runtime.queue.delays)


def test_an_unexpected_error_of_a_vendor_fails_one_message(runtime: FakeRuntime) -> None:
    """An exception that no adapter translated does not fail the batch."""
    runtime.generator.fail(UnexpectedTestError())
    runtime.sender.fail(UnexpectedTestError())
    failed = handle(runtime, *[message(runtime, number) for number in range(3)])
    assert (2, 1) == (len(failed), len(runtime.sender.sent))


@pytest.mark.parametrize(("receive_count", "longest"), [(1, 10), (2, 20), (4, 80), (9, 900)])
def test_the_backoff_grows_with_the_receive_count(
    runtime: FakeRuntime, receive_count: int, longest: int
) -> None:
    """Each receive doubles it, half of it is random, and it is limited."""
    runtime.generator.fail(TransientFailure("openai_500", Step.AI))
    handle(runtime, message(runtime, 1, receive_count))
    (seconds,) = runtime.queue.delays.values()
    assert longest / 2 <= seconds <= longest


def test_a_vendors_retry_after_is_respected(runtime: FakeRuntime) -> None:
    """A Retry-After that is longer than our backoff decides."""
    runtime.generator.fail(RateLimited("openai_429", Step.AI, retry_after=120))
    handle(runtime, message(runtime, 1))
    assert [120] == list(runtime.queue.delays.values())


def test_a_failed_heartbeat_reports_a_message_once(runtime: FakeRuntime) -> None:
    """A sent message may be delivered again already: it is reported, and acknowledged later."""
    runtime.heartbeat.failed_ids = frozenset({"message-1", "refused"})
    refused = runtime.delivery(REFUSED, message_id="refused")
    failed = handle(runtime, message(runtime, 1), message(runtime, 2), refused)
    assert ["message-1", "refused"] == failed
    assert 2 == len(runtime.sender.sent)
    assert ["handle-of-refused-1"] == list(runtime.queue.delays)
    assert 2 == runtime.metrics.counts[Metric.HEARTBEAT_FAILURES]


def test_the_heartbeat_covers_every_message_until_the_last_ends(runtime: FakeRuntime) -> None:
    """It stops before the visibility is changed, since a late beat would undo the backoff."""
    covered: list[dict[str, str]] = []
    runtime.while_generating(lambda: covered.append(dict(runtime.heartbeat.receipt_handles)))
    refused = runtime.delivery(REFUSED, message_id="refused")
    handle(runtime, message(runtime, 1), message(runtime, 2), refused)
    expected = {d: f"handle-of-{d}-1" for d in ("message-1", "message-2", "refused")}
    assert [expected, expected] == covered
    assert ["heartbeat started", "heartbeat stopped", "visibility changed"] == runtime.journal


def test_the_heartbeat_stops_if_the_batch_is_aborted(runtime: FakeRuntime) -> None:
    """An exception that no message may catch ends the heartbeat, too."""

    def exit_process() -> None:
        raise SystemExit

    runtime.while_generating(exit_process)
    with pytest.raises(SystemExit):
        handle(runtime, message(runtime, 1))
    assert ["heartbeat started", "heartbeat stopped"] == runtime.journal


# --- concurrency


class Counter:
    """Counts the concurrent calls; each waits until `size` have come."""

    def __init__(self, size: int) -> None:
        self.maximum = 0
        self._now = 0
        self._lock = Lock()
        self._barrier = Barrier(size, timeout=PATIENCE)

    def __call__(self) -> None:
        """Count one call."""
        with self._lock:
            self._now += 1
            self.maximum = max(self.maximum, self._now)
        self._barrier.wait()
        with self._lock:
            self._now -= 1
        self._barrier.wait()


@pytest.mark.parametrize(("messages", "concurrency"), [(2, 10), (10, 10), (9, 3), (3, 1)])
def test_messages_are_processed_at_once_up_to_the_limit(
    runtime: FakeRuntime, messages: int, concurrency: int
) -> None:
    """As many as configured wait for the AI at the same time, and all are sent."""
    counter = Counter(min(messages, concurrency))
    runtime.while_generating(counter)
    deliveries = [message(runtime, number) for number in range(messages)]
    assert [] == runtime.batch(concurrency).handle(deliveries)
    assert (min(messages, concurrency), messages) == (counter.maximum, len(runtime.sender.sent))


def test_each_thread_logs_its_own_ids(runtime: FakeRuntime) -> None:
    """While all messages are in progress, each has its own ids, which end with it."""
    barrier = Barrier(8, timeout=PATIENCE)
    seen: set[tuple[str, str, str]] = set()

    def generate(request: GenerationRequest) -> None:
        barrier.wait()
        ids = LOG_FIELDS.get()
        seen.add((conversation_of(request), ids["conversation_id"], ids["sqs_message_id"]))

    runtime.generator.during = generate
    runtime.batch(8).handle([message(runtime, number) for number in range(8)])
    assert {(f"conversation-{n}", f"conversation-{n}", f"message-{n}") for n in range(8)} == seen
    assert {} == LOG_FIELDS.get({})


# --- the function's time


@pytest.mark.parametrize("seconds", [0.0, 5.0, time_budget.MIN_START_SECONDS - 0.1])
def test_without_time_nothing_is_started(
    runtime: FakeRuntime, log_lines: LogLines, seconds: float
) -> None:
    """Not even a heartbeat, which takes time to stop: the messages come back at once."""
    runtime.deadline = runtime.clock() + seconds
    assert ["message-1", "message-2"] == handle(runtime, message(runtime, 1), message(runtime, 2))
    assert [] == [entry for entry in runtime.journal if entry.startswith("heartbeat")]
    assert ["out_of_time"] * 2 == [e for e in log_lines.events if not e.startswith("batch")]
    assert {} == runtime.store.records


def test_a_message_whose_turn_comes_too_late_is_not_started(
    runtime: FakeRuntime, log_lines: LogLines
) -> None:
    """The one before it took the function's time: it comes back at once."""
    late = FUNCTION_TIMEOUT - time_budget.MIN_START_SECONDS + 0.1
    runtime.while_generating(lambda: runtime.clock.advance(late))
    failed = runtime.batch(1).handle([message(runtime, 1), message(runtime, 2)])
    assert ["message-1", "message-2"] == failed
    lines = [line for line in log_lines.all if line["event"] == "out_of_time"]
    assert "message-2" in {line["sqs_message_id"] for line in lines}
    assert {"conversation-1"} == {key.conversation_id for key in runtime.store.records}


def test_visibility_is_changed_while_any_time_is_left(runtime: FakeRuntime) -> None:
    """Failed messages come back at once instead of after the queue's whole visibility timeout."""
    runtime.deadline = runtime.clock() + time_budget.MARGIN_SECONDS + 1
    handle(runtime, message(runtime, 1))
    (seconds,) = runtime.queue.delays.values()
    assert seconds in {0, 1}


class Hang:
    """What the AI does until it is released; `started` counts the calls."""

    def __init__(self) -> None:
        self.started = Semaphore(0)
        self._released = Event()

    def __call__(self, _: object = None) -> None:
        """Hang."""
        self.started.release()
        self._released.wait(PATIENCE)

    def release(self) -> None:
        """Let all calls go on."""
        self._released.set()


class ExpiringPool(ThreadPoolExecutor):
    """Threads whose time is over once `hanging` of them hang and all but `open_items` are done."""

    def __init__(self, workers: int, hang: Hang, hanging: int, open_items: int) -> None:
        super().__init__(workers)
        self._hang, self._hanging, self._open_items = hang, hanging, open_items

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        """Process the items until the time is over."""
        futures = [self.submit(fn, *items) for items in zip(*iterables, strict=True)]
        for _number in range(self._hanging):
            assert self._hang.started.acquire(timeout=PATIENCE)
        done = as_completed(futures, PATIENCE)
        for _number in range(len(futures) - self._open_items):
            next(done)
        raise TimeoutError


@pytest.fixture
def hang(runtime: FakeRuntime) -> Iterator[Hang]:
    """The AI hangs until the test's end, and the abandoned threads end before the next test."""
    hang = Hang()
    runtime.generator.during = hang
    others = set(threading.enumerate())
    yield hang
    hang.release()
    for thread in set(threading.enumerate()) - others:
        if not thread.name.startswith("deadline"):  # these are kept for the next calls
            thread.join(PATIENCE)


def expiring_batch(
    runtime: FakeRuntime, hang: Hang, *, hanging: int, open_items: int, concurrency: int = 10
) -> BatchHandler:
    """Return a handler whose time is over in that state; its last calls are in time."""
    expiring = partial(ExpiringPool, hang=hang, hanging=hanging, open_items=open_items)
    pools: Iterator[Callable[[int], Executor]] = iter([expiring, thread_pool])

    def pool(workers: int) -> Executor:
        return next(pools)(workers)

    return runtime.batch(concurrency, pool=pool)


def test_a_hanging_message_is_abandoned(
    runtime: FakeRuntime, hang: Hang, log_lines: LogLines
) -> None:
    """The batch returns, and logs that each message was in progress."""
    batch = expiring_batch(runtime, hang, hanging=2, open_items=2)
    assert ["message-1", "message-2"] == batch.handle([message(runtime, 1), message(runtime, 2)])
    abandoned = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "cut_off"]
    assert ["message-1", "message-2"] == abandoned
    assert ["heartbeat started", "heartbeat stopped", "visibility changed"] == runtime.journal


def test_messages_behind_a_hanging_one_come_back_at_once(
    runtime: FakeRuntime, hang: Hang, log_lines: LogLines
) -> None:
    """With one worker for three messages, two never start and have no lease."""
    batch = expiring_batch(runtime, hang, hanging=1, open_items=3, concurrency=1)
    failed = batch.handle([message(runtime, number) for number in (1, 2, 3)])
    assert ["message-1", "message-2", "message-3"] == failed
    late = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "out_of_time"]
    assert ["message-2", "message-3"] == late
    delays = runtime.queue.delays
    assert {0, 1} >= {delays[f"handle-of-message-{number}-1"] for number in (2, 3)}
    assert {"conversation-1"} == {key.conversation_id for key in runtime.store.records}


def test_finished_messages_count_although_another_hangs(runtime: FakeRuntime, hang: Hang) -> None:
    """One message is sent and may be deleted; the hanging one comes back."""
    runtime.generator.during = lambda request: (
        hang() if conversation_of(request) == "conversation-1" else None
    )
    batch = expiring_batch(runtime, hang, hanging=1, open_items=1)
    assert ["message-1"] == batch.handle([message(runtime, 1), message(runtime, 2)])
    assert 1 == len(runtime.sender.sent)


def test_an_abandoned_message_sends_nothing_later(runtime: FakeRuntime, hang: Hang) -> None:
    """If its thread goes on, the answer is stored, nothing is sent, and it counts once."""
    ended = Event()
    record_failure = runtime.store.record_failure

    def record_and_signal(lease: Lease, failure: Failure) -> None:
        record_failure(lease, failure)
        ended.set()

    runtime.store.record_failure = record_and_signal  # type: ignore[method-assign]
    expiring_batch(runtime, hang, hanging=1, open_items=1).handle([message(runtime, 1)])
    runtime.clock.advance(FUNCTION_TIMEOUT)
    (key,) = runtime.store.records
    hang.release()
    assert ended.wait(PATIENCE)
    record = runtime.store.records[key]
    assert (Status.RETRY, 0) == (record.status, runtime.sender.attempts)
    assert record.answer
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_RETRIED]


def test_messages_with_the_fewest_deliveries_left_start_first(runtime: FakeRuntime) -> None:
    """A final delivery must reconcile what it finds, and does not wait for the others."""
    started: list[str] = []
    runtime.generator.during = lambda request: started.append(conversation_of(request))
    runtime.queue.max_receives = 100
    runtime.batch(1).handle([message(runtime, number, number) for number in (1, 9, 5)])
    assert ["conversation-9", "conversation-5", "conversation-1"] == started


# --- the event and the handler


def sqs_record(message_id: str, text: str, receive_count: int = 1) -> dict[str, Any]:
    """Return one record of an SQS event."""
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-of-{message_id}",
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1800000000250",
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def test_a_record_becomes_a_delivery_with_its_own_owner() -> None:
    """Ids, body, count and times are the event's; each delivery has another fencing token."""
    record = sqs_record("m", "{}", receive_count=3)
    delivery = Delivery.from_record(record, 42.0)
    assert ("m", "handle-of-m", "{}", 3, 42.0, START + 0.25) == (
        delivery.message_id,
        delivery.receipt_handle,
        delivery.body,
        delivery.receive_count,
        delivery.deadline,
        delivery.sent_at,
    )
    assert 100 == len({Delivery.from_record(record, 0).owner for _ in range(100)})


class LambdaContext:
    """The part of Lambda's context that the handler reads."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until Lambda ends the function."""
        return 250_500


def invoke(*records: dict[str, Any]) -> dict[str, Any]:
    """Call the handler as Lambda does."""
    return index.lambda_handler({"Records": list(records)}, LambdaContext())


def test_the_handler_answers_in_sqs_form(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failures are always a list: without it the whole batch would come back."""
    monkeypatch.setattr(index, "batch_handler", runtime.batch)
    assert {"batchItemFailures": []} == invoke(sqs_record("good", body(valid())))
    expected = {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert expected == invoke(sqs_record("good", body(valid()), 2), sqs_record("bad", "x"))
    assert 1 == len(runtime.sender.sent)


def test_an_invocation_that_cannot_start_raises(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an event of another form nor a missing configuration counts as done."""
    monkeypatch.setattr(index, "batch_handler", runtime.batch)
    with pytest.raises(KeyError):
        invoke({"messageId": "m"})
    monkeypatch.undo()
    for name in Variable:
        monkeypatch.delenv(name, raising=False)
    index.batch_handler.cache_clear()
    with pytest.raises(ConfigurationError, match=r"CHANNEL.*QUEUE_URL.*CONVERSATIONS_TABLE"):
        invoke(sqs_record("good", body(valid())))
