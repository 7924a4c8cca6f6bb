"""The heartbeat: keeps messages invisible and leases alive, and remembers what failed."""

import time
from collections.abc import Callable, Mapping
from threading import Event, Lock
from threading import enumerate as enumerate_threads

import pytest

from lambda_src.utils.sqs_heartbeat import SQSHeartbeat
from tests.unit.fakes.faults import Unforeseen
from tests.unit.log_lines import LogLines

HANDLES = {"message-1": "handle-1", "message-2": "handle-2"}
QUICK = 0.005
"""Seconds between beats where several are needed."""
NEVER = 3600.0
"""Seconds between beats where only the first one counts."""
PATIENCE = 60.0


class Extender:
    """Takes the beats; fails those messages that it is told to, at the beats it is told to."""

    def __init__(self, *failures: frozenset[str] | Exception) -> None:
        self.beats: list[Mapping[str, str]] = []
        self._failures = list(failures)
        self._lock = Lock()

    def __call__(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """One beat."""
        with self._lock:
            self.beats.append(dict(receipt_handles))
            failure = self._failures.pop(0) if self._failures else frozenset[str]()
        if isinstance(failure, Exception):
            raise failure
        return failure


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so, which it will be in no time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(QUICK / 5)


def run(extend: Extender, beats: int, interval: float = QUICK) -> frozenset[str]:
    """Start, let it beat so often, stop."""
    heartbeat = SQSHeartbeat(HANDLES, extend, interval)
    heartbeat.start()
    until(lambda: len(extend.beats) >= beats)
    return heartbeat.stop()


def test_the_first_beat_is_at_once() -> None:
    """However long the interval: the visibility is shrunk at the start."""
    extend = Extender()
    assert frozenset() == run(extend, beats=1, interval=NEVER)
    assert [HANDLES] == extend.beats


def test_every_beat_keeps_every_message() -> None:
    """All messages of the batch, with each beat."""
    extend = Extender()
    run(extend, beats=4)
    assert all(HANDLES == beat for beat in extend.beats)


def test_beats_keep_their_distance() -> None:
    """Between two beats passes the interval."""
    extend = Extender()
    start = time.monotonic()
    run(extend, beats=4)
    assert time.monotonic() - start >= 3 * QUICK


def test_a_stopped_heart_does_not_beat() -> None:
    """Stopping waits for the thread: no beat follows that could undo a visibility set later."""
    extend = Extender()
    run(extend, beats=2)
    assert "sqs-heartbeat" not in {thread.name for thread in enumerate_threads()}
    beats = len(extend.beats)
    time.sleep(3 * QUICK)
    assert beats == len(extend.beats)


def test_stopping_waits_for_the_beat_under_way() -> None:
    """A beat that has begun is over when stop returns."""
    begun, ended = Event(), Event()

    def extend_slowly(_: Mapping[str, str]) -> frozenset[str]:
        begun.set()
        time.sleep(4 * QUICK)
        ended.set()
        return frozenset()

    heartbeat = SQSHeartbeat(HANDLES, extend_slowly, NEVER)
    heartbeat.start()
    begun.wait(PATIENCE)
    heartbeat.stop()
    assert ended.is_set()


def test_stopping_does_not_wait_for_the_interval() -> None:
    """A batch that is done is not held up."""
    start = time.monotonic()
    run(Extender(), beats=1, interval=NEVER)
    assert time.monotonic() - start < PATIENCE


def test_a_beat_refused_once_is_remembered() -> None:
    """A message that was not kept for one beat is not certain for ever after."""
    extend = Extender(frozenset(), frozenset({"message-2"}))
    assert frozenset({"message-2"}) == run(extend, beats=4)


def test_a_beat_that_raises_failed_for_all_and_is_not_the_last() -> None:
    """An error of the queue's fails every message, and the heart goes on beating."""
    extend = Extender(Unforeseen())
    assert frozenset(HANDLES) == run(extend, beats=3)


def test_a_failed_beat_is_logged_with_its_message(log_lines: LogLines) -> None:
    """Event, level and the message's id, without the error's text."""
    run(Extender(Unforeseen()), beats=1, interval=NEVER)
    lines = [
        (li["level"], li["event"], li["sqs_message_id"], li["error_type"]) for li in log_lines.all
    ]
    expected = [("ERROR", "heartbeat_failed", name, "Unforeseen") for name in sorted(HANDLES)]
    assert expected == sorted(lines)
    assert str(Unforeseen()) not in log_lines.text


def test_a_refused_beat_is_logged_for_its_message_alone(log_lines: LogLines) -> None:
    """What the queue refuses for one message is said of that one."""
    run(Extender(frozenset({"message-2"})), beats=1, interval=NEVER)
    assert ("message-2", "refused") == (
        log_lines.of("heartbeat_failed")["sqs_message_id"],
        log_lines.of("heartbeat_failed")["error_type"],
    )


class Lease:
    """Counts its renewals."""

    def __init__(self) -> None:
        self.renewals = 0

    def renew(self) -> None:
        """Extend it."""
        self.renewals += 1


@pytest.fixture
def extend() -> Extender:
    """Takes every beat."""
    return Extender()


def test_leases_are_renewed_with_each_beat_but_the_first(extend: Extender) -> None:
    """Whatever keeps the messages invisible keeps the leases alive as well, once they have aged."""
    heartbeat, lease = SQSHeartbeat(HANDLES, extend, QUICK), Lease()
    with heartbeat.renewing("message-1", lease.renew):
        heartbeat.start()
        until(lambda: lease.renewals >= 3)
        heartbeat.stop()
    assert len(extend.beats) - lease.renewals in {1, 2}  # the last one may meet the end


def test_no_lease_is_renewed_after_its_context(extend: Extender) -> None:
    """Once the AI has written, nobody extends the lease; the messages are still kept."""
    heartbeat, lease = SQSHeartbeat(HANDLES, extend, QUICK), Lease()
    heartbeat.start()
    with heartbeat.renewing("message-1", lease.renew):
        until(lambda: lease.renewals >= 1)
    until(lambda: len(extend.beats) >= len(HANDLES) + 2)
    renewals, beats = lease.renewals, len(extend.beats)
    until(lambda: len(extend.beats) >= beats + 2)
    heartbeat.stop()
    assert renewals == lease.renewals


def test_a_context_that_ends_in_an_error_ends_its_renewals(extend: Extender) -> None:
    """A failure does not leave a lease alive."""
    heartbeat, lease = SQSHeartbeat(HANDLES, extend, QUICK), Lease()
    with pytest.raises(Unforeseen), heartbeat.renewing("message-1", lease.renew):
        raise Unforeseen
    run_beats(heartbeat, extend, 3)
    assert 0 == lease.renewals


def run_beats(heartbeat: SQSHeartbeat, extend: Extender, beats: int) -> None:
    """Let a heartbeat live for so many beats."""
    heartbeat.start()
    until(lambda: len(extend.beats) >= beats)
    heartbeat.stop()


def test_one_failing_lease_does_not_end_the_others(extend: Extender, log_lines: LogLines) -> None:
    """A renewal that fails is logged, and neither another lease nor the beat suffers."""
    heartbeat, lease = SQSHeartbeat(HANDLES, extend, QUICK), Lease()

    def fail() -> None:
        raise Unforeseen

    with heartbeat.renewing("message-1", fail), heartbeat.renewing("message-2", lease.renew):
        heartbeat.start()
        until(lambda: lease.renewals >= 2)
        assert frozenset() == heartbeat.stop()
    assert {"message-1"} == {line["sqs_message_id"] for line in log_lines.all}
    assert {("WARNING", "lease_renewal_failed", "Unforeseen")} == {
        (line["level"], line["event"], line["error_type"]) for line in log_lines.all
    }


def test_leases_are_renewed_at_once_and_not_in_turn(extend: Extender) -> None:
    """A renewal that hangs for a while does not hold up another message's."""
    heartbeat, renewed = SQSHeartbeat(HANDLES, extend, QUICK), Event()
    saw_the_other: list[bool] = []

    def hang() -> None:
        saw_the_other.append(renewed.wait(PATIENCE))

    with heartbeat.renewing("message-1", hang), heartbeat.renewing("message-2", renewed.set):
        heartbeat.start()
        until(lambda: bool(saw_the_other))
        heartbeat.stop()
    assert all(saw_the_other)
