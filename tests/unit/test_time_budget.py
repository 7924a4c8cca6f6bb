"""Whatever is slow, and however little time is left: the work ends before the function does."""

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core import timing
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Intent
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.slowness import Pace, Service, Slowness, SlowPort, slow_down
from tests.unit.fakes.world import FUNCTION_TIMEOUT, KEY, World
from tests.unit.fakes.writer import ANSWER

LAST = 10

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
        Record(KEY, Status.RETRY, START, owner="o", attempt=1),
        Record(KEY, Status.RETRY, START, owner="o", attempt=1, answer=ANSWER),
        Record(KEY, Status.PROCESSING, START, owner="o", attempt=1, lease_expires_at=START - 1),
        Record(
            KEY,
            Status.SENDING,
            START,
            owner="o",
            attempt=1,
            answer=ANSWER,
            intent=Intent(START - 60, START - 45),
        ),
    ]
)
# Where the thresholds are a little more or less decides: there most of the examples are.
times_left = st.one_of(
    st.floats(0, FUNCTION_TIMEOUT), st.floats(18, 90), st.floats(28, 66), st.floats(40, 60)
)


class Trial:
    """One delivery of a valid context object in a world where one service is slow."""

    def __init__(self, slowness: Slowness, record: Record | None, seconds: float) -> None:
        self.world = World(function_ends_at=START + seconds)
        self.table = self.world.conversations
        self.sender = self.world.sender
        if record:
            self.table.records[KEY] = record
        self.ports = slow_down(self.world, slowness)
        self.stopped_with: float | None = None
        stop = self.world.heartbeat.stop

        def note_and_stop() -> frozenset[str]:
            self.stopped_with = self.world.time_left()
            return stop()

        self.world.heartbeat.stop = note_and_stop  # type: ignore[method-assign]

    def handle(self, receive_count: int) -> bool:
        """Whether the message may be deleted."""
        body = contexts.body(contexts.valid())
        delivery = self.world.delivery(body, receive_count=receive_count)
        return not self.world.batch().handle([delivery])

    @property
    def status(self) -> Status | None:
        """What the record says."""
        record = self.table.records.get(KEY)
        return record.status if record else None

    def calls(self) -> list[tuple[str, float]]:
        """Every call of a port but the last, which shows failures again."""
        ports: list[SlowPort] = list(self.ports.values())
        return [call for port in ports for call in port.calls if call[0] != "show_again"]


@settings(max_examples=700)
@given(slownesses, records, times_left, st.sampled_from([1, 2, LAST]))
def test_work_ends_before_the_function_does(
    slowness: Slowness, record: Record | None, seconds: float, receive_count: int
) -> None:
    """With any time left, whoever is slow: what is begun leaves the time that the end takes."""
    trial = Trial(slowness, record, seconds)

    trial.handle(receive_count)

    if seconds < timing.BEGIN_SECONDS:
        assert (None, []) == (trial.stopped_with, trial.calls())
    else:
        assert trial.stopped_with is not None
        assert trial.stopped_with >= timing.RETURN_SECONDS


@settings(max_examples=250)
@given(slownesses, records, times_left)
def test_no_send_begins_that_cannot_be_recorded(
    slowness: Slowness, record: Record | None, seconds: float
) -> None:
    """When the request goes out there is time for its answer, for the record, and for the end."""
    trial = Trial(slowness, record, seconds)

    trial.handle(2)

    needed = trial.world.timing.twilio_timeout + timing.AWS_CALL_SECONDS + timing.RETURN_SECONDS
    sends = [left for name, left in trial.ports[Service.TWILIO].calls if name == "send"]
    assert all(left >= needed for left in sends)


@settings(max_examples=250)
@given(
    slownesses.filter(lambda slowness: slowness.service is not Service.TABLE),
    records,
    times_left,
    st.sampled_from([1, 2, LAST]),
)
def test_what_is_held_is_released(
    slowness: Slowness, record: Record | None, seconds: float, receive_count: int
) -> None:
    """Where the table answers, a conversation is sent, settled or claimable when the work ends."""
    trial = Trial(slowness, record, seconds)

    is_deleted = trial.handle(receive_count)

    untouched = record.status if record else None
    assert trial.status in {untouched, *Status} - {Status.PROCESSING} or trial.calls() == []
    assert is_deleted is (trial.status is Status.SENT)
    if not is_deleted and slowness.service is not Service.QUEUE:
        assert cast("Any", trial.ports[Service.QUEUE].port).shown_again
