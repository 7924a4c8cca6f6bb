"""The heartbeat: keeps messages invisible and leases valid, and reports what failed."""

import time
from collections.abc import Callable, Mapping
from threading import Event, Lock
from threading import enumerate as enumerate_threads

import pytest

from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from tests.support.fakes import UnexpectedTestError
from tests.support.logs import LogLines

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
        self._failures = list(failures)
        self._lock = Lock()

    def __call__(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """Receive one heartbeat."""
        with self._lock:
            self.beats.append(dict(receipt_handles))
            failure = self._failures.pop(0) if self._failures else frozenset[str]()
        if isinstance(failure, Exception):
            raise failure
        return failure


class Renewals:
    """Counts a lease's renewals."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Renew the lease."""
        self.count += 1


@pytest.fixture
def extend() -> Extender:
    """Receives every heartbeat."""
    return Extender()


@pytest.fixture
def heartbeat(extend: Extender) -> SQSHeartbeat:
    """A quick heartbeat, not started."""
    return SQSHeartbeat(HANDLES, extend, QUICK)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, which is true in a moment."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(QUICK / 5)


def run(extend: Extender, beats: int, interval: float = QUICK) -> frozenset[str]:
    """Start, wait for so many heartbeats, stop."""
    heartbeat = SQSHeartbeat(HANDLES, extend, interval)
    heartbeat.start()
    wait_until(lambda: len(extend.beats) >= beats)
    return heartbeat.stop()


def test_the_first_heartbeat_is_immediate(extend: Extender) -> None:
    """However long the interval, for which stopping does not wait either."""
    start = time.monotonic()
    assert frozenset() == run(extend, beats=1, interval=NEVER)
    assert time.monotonic() - start < PATIENCE
    assert [HANDLES] == extend.beats


def test_every_heartbeat_covers_every_message(extend: Extender) -> None:
    """The interval passes between two of them."""
    start = time.monotonic()
    run(extend, beats=4)
    assert time.monotonic() - start >= 3 * QUICK
    assert all(HANDLES == beat for beat in extend.beats)


def test_no_heartbeat_follows_the_stop(extend: Extender) -> None:
    """A late one would overwrite a visibility that was set since."""
    run(extend, beats=2)
    assert "sqs-heartbeat" not in {thread.name for thread in enumerate_threads()}
    beats = len(extend.beats)
    time.sleep(3 * QUICK)
    assert beats == len(extend.beats)


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


def test_one_refused_heartbeat_is_reported() -> None:
    """A message that was visible for a moment may have been received by others."""
    extend = Extender(frozenset(), frozenset({"message-2"}))
    assert frozenset({"message-2"}) == run(extend, beats=4)


def test_a_heartbeat_that_raises_fails_every_message_and_is_not_the_last() -> None:
    """The next one may succeed."""
    assert frozenset(HANDLES) == run(Extender(UnexpectedTestError()), beats=3)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (UnexpectedTestError(), dict.fromkeys(HANDLES, "UnexpectedTestError")),
        (frozenset({"message-2"}), {"message-2": "refused"}),
    ],
)
def test_a_failed_heartbeat_is_logged_for_its_messages(
    log_lines: LogLines, failure: frozenset[str] | Exception, expected: dict[str, str]
) -> None:
    """With the error's type and without its text."""
    run(Extender(failure), beats=1, interval=NEVER)
    assert expected == {line["sqs_message_id"]: line["error_type"] for line in log_lines.all}
    assert {("ERROR", "heartbeat_failed")} == {
        (line["level"], line["event"]) for line in log_lines.all
    }
    assert str(UnexpectedTestError()) not in log_lines.text


def test_leases_are_renewed_with_each_heartbeat_but_the_first(
    heartbeat: SQSHeartbeat, extend: Extender
) -> None:
    """At the first one they are new."""
    renewals = Renewals()
    with heartbeat.renewing("message-1", renewals):
        heartbeat.start()
        wait_until(lambda: renewals.count >= 3)
        heartbeat.stop()
    assert len(extend.beats) - renewals.count in {1, 2}  # the last may meet the stop


def test_no_lease_is_renewed_after_its_context(heartbeat: SQSHeartbeat, extend: Extender) -> None:
    """The messages are still extended."""
    renewals = Renewals()
    heartbeat.start()
    with heartbeat.renewing("message-1", renewals):
        wait_until(lambda: renewals.count >= 1)
    wait_until(lambda: len(extend.beats) >= len(HANDLES) + 2)
    count, beats = renewals.count, len(extend.beats)
    wait_until(lambda: len(extend.beats) >= beats + 2)
    heartbeat.stop()
    assert count == renewals.count


def test_an_error_ends_a_leases_renewals(heartbeat: SQSHeartbeat, extend: Extender) -> None:
    """A failure does not keep a lease valid."""
    renewals = Renewals()
    with pytest.raises(UnexpectedTestError), heartbeat.renewing("message-1", renewals):
        raise UnexpectedTestError
    heartbeat.start()
    wait_until(lambda: len(extend.beats) >= 3)
    heartbeat.stop()
    assert 0 == renewals.count


def test_a_failed_renewal_affects_no_other(heartbeat: SQSHeartbeat, log_lines: LogLines) -> None:
    """It is logged; neither another lease nor the messages suffer."""
    renewals = Renewals()

    def fail() -> None:
        raise UnexpectedTestError

    with heartbeat.renewing("message-1", fail), heartbeat.renewing("message-2", renewals):
        heartbeat.start()
        wait_until(lambda: renewals.count >= 2)
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
        wait_until(lambda: bool(saw_the_other))
        heartbeat.stop()
    assert all(saw_the_other)
