"""Time: the budget of one invocation, deadlines, and the heartbeat."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, get_ident
from threading import enumerate as enumerate_threads
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core import errors, time_budget
from lambda_src.core.contract import Status, Step
from lambda_src.core.deadlines import MAX_CALLS, call_with_deadline, map_with_deadline, thread_pool
from lambda_src.core.ledger import Intent
from lambda_src.core.log import LOG_FIELDS
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER, UnexpectedTestError
from tests.support.logs import LogLines
from tests.support.runtime import FUNCTION_TIMEOUT, KEY, FakeRuntime

LAST = 10
"""The receive count of the final delivery."""
SERVICES = ("store", "secrets", "queue", "generator", "sender")
"""The services that the runtime calls, by their attributes of `FakeRuntime`."""


class Slowness(NamedTuple):
    """Which service is slow, in which way, and after how many calls."""

    service: str
    skip: int  # calls before the first slow one
    quick: float  # seconds of all other calls
    is_applied: bool  # a slow call takes as long as it may, and takes effect
    is_answered: bool  # it also returns; if not, it raises


class SlowPort:
    """A port whose calls take time on the fake clock; `calls` has their names and the time left."""

    def __init__(self, service: str, runtime: FakeRuntime, slowness: Slowness) -> None:
        self.service, self.runtime, self.slowness = service, runtime, slowness
        self.calls: list[tuple[str, float]] = []
        self.port = getattr(runtime, service)
        setattr(runtime, service, self)

    def __getattr__(self, name: str) -> Any:
        """Return the port's method of that name, which takes its time."""

        def delayed(*args: Any, **options: Any) -> Any:
            slow = self.slowness
            is_slow = self.service == slow.service and len(self.calls) >= slow.skip
            self.calls.append((name, self.runtime.time_left()))
            self.runtime.clock.advance(self._maximum(name, args) if is_slow else slow.quick)
            applied = not is_slow or slow.is_applied
            result = getattr(self.port, name)(*args, **options) if applied else None
            if is_slow and not slow.is_answered and name != "change_visibility":
                raise self._error(name)
            return result

        return delayed

    def _maximum(self, name: str, args: tuple[Any, ...]) -> float:
        match self.service:
            case "generator":
                timeout: float = args[1].timeout
                return timeout + time_budget.AI_GRACE_SECONDS
            case "sender":
                return self.runtime.times.send_timeout * (2 if name == "find" else 1)
        return time_budget.AWS_CALL_SECONDS

    def _error(self, name: str) -> errors.ProcessingError:
        match self.service:
            case "store":
                return errors.LedgerUnavailable("ledger_unavailable", Step.CLAIM)
            case "sender" if name == "send":
                return errors.SendOutcomeUnknown("twilio_answer_lost", Step.SEND)
        return errors.TransientFailure(f"{self.service}_unavailable", Step.AI)


def earlier(status: Status, **fields: Any) -> Record:
    """Return the record of an earlier attempt."""
    return Record(KEY, status, START, owner="o", attempt=1, **fields)


paces = st.sampled_from([(True, True), (False, False), (True, False)])
slownesses = st.builds(
    lambda service, skip, quick, pace: Slowness(service, skip, quick, *pace),
    st.sampled_from(SERVICES),
    st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
    st.sampled_from([0.0, 0.05, 0.2]),
    paces,
)
records = st.sampled_from(
    [
        None,
        earlier(Status.RETRY),
        earlier(Status.RETRY, answer=ANSWER),
        earlier(Status.PROCESSING, lease_expires_at=START - 1),
        earlier(Status.SENDING, answer=ANSWER, intent=Intent(START - 60, START - 45)),
    ]
)
# Most examples are near the thresholds, where a little time more or less decides.
times_left = st.one_of(
    st.floats(0, FUNCTION_TIMEOUT), st.floats(18, 90), st.floats(28, 66), st.floats(40, 60)
)


@settings(max_examples=300)
@given(slownesses, records, times_left, st.sampled_from([1, 2, LAST]))
def test_work_ends_before_the_function_does(
    slowness: Slowness, record: Record | None, seconds: float, receive_count: int
) -> None:
    """What starts leaves the time that its end takes, and a send the time to record it.

    Where the table answers, a conversation is sent, reconciled or not leased when the work ends.
    """
    runtime = FakeRuntime(deadline=START + seconds)
    table, queue = runtime.store, runtime.queue
    if record:
        table.records[KEY] = record
    ports = [SlowPort(service, runtime, slowness) for service in SERVICES]
    stopped_with: list[float] = []
    stop = runtime.heartbeat.stop

    def note_and_stop() -> frozenset[str]:
        stopped_with.append(runtime.time_left())
        return stop()

    runtime.heartbeat.stop = note_and_stop  # type: ignore[method-assign]
    body = contexts.body(contexts.valid())

    failed = runtime.batch().handle([runtime.delivery(body, receive_count=receive_count)])

    # Every call but the last, which changes the visibility.
    calls = [call for port in ports for call in port.calls if call[0] != "change_visibility"]
    if seconds < time_budget.MIN_START_SECONDS:
        assert ([], []) == (stopped_with, calls)
    else:
        assert min(stopped_with) >= time_budget.SHUTDOWN_RESERVE_SECONDS
    needed = (
        runtime.times.send_timeout
        + time_budget.AWS_CALL_SECONDS
        + time_budget.SHUTDOWN_RESERVE_SECONDS
    )
    assert all(left >= needed for name, left in calls if name == "send")
    if slowness.service == "store":
        return
    status = table.records[KEY].status if KEY in table.records else None
    untouched = record.status if record else None
    assert status in {untouched, *Status} - {Status.PROCESSING} or calls == []
    assert (status is Status.SENT) is not bool(failed)
    if failed and slowness.service != "queue":
        assert queue.delays


# --- deadlines

PLENTY = 60.0
"""Seconds that nothing here takes."""
SOON = 0.05
ENOUGH = 1.0
"""Seconds in which a busy machine, too, starts what hangs; all of them pass."""


@contextmanager
def hanging() -> Iterator[Callable[[object], bool]]:
    """A call that hangs until the context ends."""
    release = Event()
    try:
        yield lambda _: release.wait(PLENTY)
    finally:
        release.set()


def _pool(workers: int = 2) -> Executor:
    return ThreadPoolExecutor(workers)


def test_a_call_in_time_returns_or_raises_its_own() -> None:
    """As if it were called directly, with the log's fields of its message."""

    def fail() -> None:
        raise UnexpectedTestError

    with pytest.raises(UnexpectedTestError):
        call_with_deadline(PLENTY, fail)
    token = LOG_FIELDS.set({"conversation_id": "c-1"})
    assert {"conversation_id": "c-1"} == call_with_deadline(PLENTY, LOG_FIELDS.get)
    LOG_FIELDS.reset(token)


@pytest.mark.parametrize("seconds", [SOON, 0.0, -1.0])
def test_a_hanging_call_is_abandoned(seconds: float) -> None:
    """At once if no time is left."""
    with hanging() as hang, pytest.raises(TimeoutError):
        call_with_deadline(seconds, lambda: hang(None))


def test_a_call_that_waited_too_long_is_never_made() -> None:
    """Behind as many hanging calls as there may be."""
    started: list[bool] = []
    made: list[str] = []
    with hanging() as hang:

        def hold() -> None:
            started.append(True)
            hang(None)

        while len(started) < MAX_CALLS:
            with suppress(TimeoutError):
                call_with_deadline(0.0005, hold)
        with pytest.raises(TimeoutError):
            call_with_deadline(SOON, lambda: made.append("too late"))
    call_with_deadline(PLENTY, lambda: made.append("in time"))
    assert ["in time"] == made


def test_calls_share_threads() -> None:
    """A thread serves call after call."""
    threads = {call_with_deadline(PLENTY, get_ident) for _ in range(2 * MAX_CALLS)}
    assert len(threads) <= MAX_CALLS


def test_work_shares_threads_unless_some_hangs() -> None:
    """A later batch gets the threads of an earlier one, and never those that are still busy."""

    def threads_of_a_batch(work: Callable[[], object] = lambda: None) -> set[int]:
        seen: set[int] = set()

        def note(_: object) -> None:
            seen.add(get_ident())
            work()

        map_with_deadline(SOON, note, [None], thread_pool(1))
        return seen

    (first,) = threads_of_a_batch()
    assert {first} == threads_of_a_batch()
    with hanging() as hang:
        assert {first} == threads_of_a_batch(lambda: hang(None))
        assert {first} != threads_of_a_batch()


def test_hanging_work_is_abandoned() -> None:
    """Items that were not started never are."""
    seen: list[str] = []
    with hanging() as hang:

        def work(item: str) -> None:
            seen.append(item)
            if item == "hangs":
                hang(None)

        assert not map_with_deadline(ENOUGH, work, ["quick", "hangs", "waits"], _pool(1))
    assert ["quick", "hangs"] == seen


# --- the heartbeat

HANDLES = {"message-1": "handle-1", "message-2": "handle-2"}
QUICK = 0.005
"""Seconds between heartbeats where several are needed."""
NEVER = 3600.0
"""Seconds between heartbeats where only the first one counts."""
PATIENCE = 60.0


class Extender:
    """Receives the heartbeats, and fails as planned, one entry for each."""

    def __init__(self, *failures: frozenset[str] | Exception) -> None:
        self.beats: list[Mapping[str, str]] = []
        self._failures = iter(failures)

    def __call__(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """Receive one heartbeat."""
        self.beats.append(receipt_handles)
        failure = next(self._failures, frozenset[str]())
        if isinstance(failure, Exception):
            raise failure
        return failure


@pytest.fixture
def extend() -> Extender:
    """Receives every heartbeat."""
    return Extender()


@pytest.fixture
def heartbeat(extend: Extender) -> SQSHeartbeat:
    """A quick heartbeat, not started."""
    return SQSHeartbeat(HANDLES, extend, QUICK)


@pytest.fixture
def renewals() -> list[None]:
    """One entry for each renewal of the test's lease."""
    return []


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(QUICK / 5)


def run(extend: Extender, beats: int, interval: float = QUICK) -> frozenset[str]:
    """Start, wait for so many heartbeats, stop."""
    heartbeat = SQSHeartbeat(HANDLES, extend, interval)
    heartbeat.start()
    _wait_until(lambda: len(extend.beats) >= beats)
    return heartbeat.stop()


def test_the_first_heartbeat_is_immediate(extend: Extender) -> None:
    """However long the interval, for which stopping does not wait either."""
    start = time.monotonic()
    assert frozenset() == run(extend, beats=1, interval=NEVER)
    assert time.monotonic() - start < PATIENCE
    assert [HANDLES] == extend.beats


def test_every_heartbeat_covers_every_message_until_the_stop(extend: Extender) -> None:
    """The interval passes between two; a late one would overwrite a visibility that was set."""
    start = time.monotonic()
    run(extend, beats=4)
    assert time.monotonic() - start >= 3 * QUICK
    assert "sqs-heartbeat" not in {thread.name for thread in enumerate_threads()}
    beats = list(extend.beats)
    assert all(HANDLES == beat for beat in beats)
    time.sleep(3 * QUICK)
    assert beats == extend.beats


def test_stopping_waits_for_the_heartbeat_in_progress() -> None:
    """It has ended when stop returns."""
    started, ended = Event(), Event()

    def extend_slowly(_: Mapping[str, str]) -> frozenset[str]:
        started.set()
        time.sleep(4 * QUICK)
        ended.set()
        return frozenset()

    heartbeat = SQSHeartbeat(HANDLES, extend_slowly, NEVER)
    heartbeat.start()
    started.wait(PATIENCE)
    heartbeat.stop()
    assert ended.is_set()


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([frozenset(), frozenset({"message-2"})], {"message-2": "refused"}),
        ([UnexpectedTestError()], dict.fromkeys(HANDLES, "UnexpectedTestError")),
    ],
)
def test_one_failed_heartbeat_is_reported_logged_and_not_the_last(
    log_lines: LogLines, failures: list[frozenset[str] | Exception], expected: dict[str, str]
) -> None:
    """A message that was visible for a moment may have been received by others."""
    assert set(expected) == run(Extender(*failures), beats=4)
    assert expected == {line["sqs_message_id"]: line["error_type"] for line in log_lines.all}
    levels = [(line["level"], line["event"]) for line in log_lines.all]
    assert [("ERROR", "heartbeat_failed")] * len(expected) == levels
    assert str(UnexpectedTestError()) not in log_lines.text


def test_leases_are_renewed_with_each_heartbeat_but_the_first(
    heartbeat: SQSHeartbeat, extend: Extender, renewals: list[None]
) -> None:
    """At the first one they are new."""
    with heartbeat.renewing("message-1", partial(renewals.append, None)):
        heartbeat.start()
        _wait_until(lambda: len(renewals) >= 3)
        heartbeat.stop()
    assert len(extend.beats) - len(renewals) in {1, 2}  # the last may meet the stop


@pytest.mark.parametrize("is_error", [False, True])
def test_no_lease_is_renewed_after_its_context(
    heartbeat: SQSHeartbeat, extend: Extender, renewals: list[None], is_error: bool
) -> None:
    """However it ended; the messages are still extended."""
    heartbeat.start()
    with (
        suppress(UnexpectedTestError),
        heartbeat.renewing("message-1", partial(renewals.append, None)),
    ):
        _wait_until(lambda: bool(renewals))
        if is_error:
            raise UnexpectedTestError
    beats = len(extend.beats)
    _wait_until(lambda: len(extend.beats) >= beats + 2)  # a renewal may have been in progress
    count, beats = len(renewals), len(extend.beats)
    _wait_until(lambda: len(extend.beats) >= beats + 2)
    heartbeat.stop()
    assert count == len(renewals)


def test_a_failed_renewal_affects_no_other(
    heartbeat: SQSHeartbeat, renewals: list[None], log_lines: LogLines
) -> None:
    """It is logged; neither another lease nor the messages suffer."""

    def fail() -> None:
        raise UnexpectedTestError

    renew = partial(renewals.append, None)
    with heartbeat.renewing("message-1", fail), heartbeat.renewing("message-2", renew):
        heartbeat.start()
        _wait_until(lambda: len(renewals) >= 2)
        assert frozenset() == heartbeat.stop()
    assert {("message-1", "WARNING", "lease_renewal_failed", "UnexpectedTestError")} == {
        (line["sqs_message_id"], line["level"], line["event"], line["error_type"])
        for line in log_lines.all
    }


def test_leases_are_renewed_concurrently(heartbeat: SQSHeartbeat) -> None:
    """A renewal that hangs does not delay another message's."""
    renewed = Event()
    saw_the_other: list[bool] = []

    def hang() -> None:
        saw_the_other.append(renewed.wait(PATIENCE))

    with heartbeat.renewing("message-1", hang), heartbeat.renewing("message-2", renewed.set):
        heartbeat.start()
        _wait_until(lambda: bool(saw_the_other))
        heartbeat.stop()
    assert all(saw_the_other)
