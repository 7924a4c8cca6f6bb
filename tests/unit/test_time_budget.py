"""Whatever is slow, and however little time is left: the work ends before the function does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core import time_budget
from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import (
    LedgerUnavailable,
    ProcessingError,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.ledger import Intent
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER
from tests.support.runtime import FUNCTION_TIMEOUT, KEY, FakeRuntime

LAST = 10
"""The receive count of the final delivery."""


class Service(StrEnum):
    """A service that the runtime calls, by its attribute of `FakeRuntime`."""

    TABLE = "store"
    SECRETS = "secrets"
    QUEUE = "queue"
    AI = "generator"
    TWILIO = "sender"


class Pace(StrEnum):
    """What the slow service does after as long as a call may take."""

    ANSWERS = "answers"
    HANGS = "hangs"
    LOSES_THE_ANSWER = "loses the answer"


@dataclass(frozen=True)
class Slowness:
    """Which service is slow, how, and from which of its calls on; other calls take `quick` s."""

    service: Service
    pace: Pace
    skip: int
    quick: float


@dataclass
class SlowPort:
    """A port whose calls take time on the fake clock; `calls` has their names and the time left."""

    service: Service
    runtime: FakeRuntime
    slowness: Slowness
    calls: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port: Any = getattr(self.runtime, self.service)
        setattr(self.runtime, self.service, self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the port's method of that name, which takes its time."""
        call = getattr(self.port, name)

        def delayed(*args: Any, **options: Any) -> Any:
            is_slow = (
                self.service is self.slowness.service and len(self.calls) >= self.slowness.skip
            )
            self.calls.append((name, self.runtime.time_left()))
            seconds = self._maximum(name, args) if is_slow else self.slowness.quick
            self.runtime.clock.advance(seconds)
            if not is_slow or self.slowness.pace is Pace.ANSWERS:
                return call(*args, **options)
            if self.slowness.pace is Pace.LOSES_THE_ANSWER:
                call(*args, **options)
            if name != "change_visibility":  # which does not raise
                raise self._error(name)
            return None

        return delayed

    def _maximum(self, name: str, args: tuple[Any, ...]) -> float:
        match self.service:
            case Service.AI:
                return cast("float", args[1].timeout) + time_budget.AI_GRACE_SECONDS
            case Service.TWILIO:
                return self.runtime.times.twilio_timeout * (2 if name == "find" else 1)
        return time_budget.AWS_CALL_SECONDS

    def _error(self, name: str) -> ProcessingError:
        match self.service:
            case Service.TABLE:
                return LedgerUnavailable("ledger_unavailable", Step.CLAIM)
            case Service.TWILIO if name == "send":
                return SendOutcomeUnknown("twilio_answer_lost", Step.SEND)
        return TransientFailure(f"{self.service}_unavailable", Step.AI)


class Trial:
    """One delivery of the default context object, with one slow service."""

    def __init__(self, slowness: Slowness, record: Record | None, seconds: float) -> None:
        self.runtime = FakeRuntime(deadline=START + seconds)
        self.table = self.runtime.store
        if record:
            self.table.records[KEY] = record
        self.queue = self.runtime.queue
        self.ports = {s: SlowPort(s, self.runtime, slowness) for s in Service}
        self.heartbeat_stopped_with: float | None = None
        stop = self.runtime.heartbeat.stop

        def note_and_stop() -> frozenset[str]:
            self.heartbeat_stopped_with = self.runtime.time_left()
            return stop()

        self.runtime.heartbeat.stop = note_and_stop  # type: ignore[method-assign]

    def handle(self, receive_count: int) -> bool:
        """Return whether the message may be deleted."""
        body = contexts.body(contexts.valid())
        delivery = self.runtime.delivery(body, receive_count=receive_count)
        return not self.runtime.batch().handle([delivery])

    @property
    def status(self) -> Status | None:
        """The record's status."""
        record = self.table.records.get(KEY)
        return record.status if record else None

    def calls(self) -> list[tuple[str, float]]:
        """Return every call but the last, which changes the visibility."""
        calls = [call for port in self.ports.values() for call in port.calls]
        return [call for call in calls if call[0] != "change_visibility"]


def earlier(status: Status, **fields: Any) -> Record:
    """Return the record of an earlier attempt."""
    return Record(KEY, status, START, owner="o", attempt=1, **fields)


slownesses = st.builds(
    Slowness,
    st.sampled_from(Service),
    st.sampled_from(Pace),
    st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
    st.sampled_from([0.0, 0.05, 0.2]),
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


@settings(max_examples=700)
@given(slownesses, records, times_left, st.sampled_from([1, 2, LAST]))
def test_work_ends_before_the_function_does(
    slowness: Slowness, record: Record | None, seconds: float, receive_count: int
) -> None:
    """What starts leaves the time that its end takes, and a send the time to record it.

    Where the table answers, a conversation is sent, reconciled or not leased when the work ends.
    """
    trial = Trial(slowness, record, seconds)

    is_deleted = trial.handle(receive_count)

    if seconds < time_budget.MIN_START_SECONDS:
        assert (None, []) == (trial.heartbeat_stopped_with, trial.calls())
    else:
        assert trial.heartbeat_stopped_with is not None
        assert trial.heartbeat_stopped_with >= time_budget.SHUTDOWN_RESERVE_SECONDS
    needed = (
        trial.runtime.times.twilio_timeout
        + time_budget.AWS_CALL_SECONDS
        + time_budget.SHUTDOWN_RESERVE_SECONDS
    )
    sends = [left for name, left in trial.ports[Service.TWILIO].calls if name == "send"]
    assert all(left >= needed for left in sends)
    if slowness.service is Service.TABLE:
        return
    untouched = record.status if record else None
    assert trial.status in {untouched, *Status} - {Status.PROCESSING} or trial.calls() == []
    assert is_deleted is (trial.status is Status.SENT)
    if not is_deleted and slowness.service is not Service.QUEUE:
        assert trial.queue.delays
