"""The time from the router's request to the message: measured where it can be true."""

import pytest

from lambda_src.core.errors import RateLimited, Step
from lambda_src.core.metric_names import Metric
from lambda_src.core.tally import OLDEST_REQUEST_SECONDS, Tally
from tests.unit.contexts import body, changed
from tests.unit.fakes.clock import START, FakeClock
from tests.unit.fakes.metrics import FakeMetrics
from tests.unit.fakes.world import World
from tests.unit.test_tally import REQUESTED, handle


def test_the_time_from_the_request_is_measured(world: World) -> None:
    """From the router's timestamp to the message's record, whatever the time zone."""
    handle(world, body(changed(REQUESTED, "2027-01-15T08:59:50+01:00")))
    assert [10.0] == world.metrics.values[Metric.END_TO_END_SECONDS]


@pytest.mark.parametrize(
    "timestamp",
    [None, "2027-01-15T07:59:50", "2027-01-15", "2027-01-15T09:00:00Z", "1970-01-01T00:00:00Z"],
)
def test_a_time_that_tells_nothing_is_left_out(world: World, timestamp: str | None) -> None:
    """No timestamp, none with a time zone, one to come, or one older than any message gets."""
    handle(world, body(changed(REQUESTED, timestamp)))
    assert {Metric.MESSAGES_SENT: 1} == world.metrics.ends
    assert [] == world.metrics.values[Metric.END_TO_END_SECONDS]


@pytest.mark.parametrize(
    ("age", "measured"),
    [
        (0.0, True),
        (-0.1, False),
        (OLDEST_REQUEST_SECONDS, True),
        (OLDEST_REQUEST_SECONDS + 1, False),
    ],
)
def test_bounds_of_the_time_from_the_request(age: float, measured: bool) -> None:
    """From this moment to the time that two queues keep a message, both included."""
    metrics = FakeMetrics()
    Tally(metrics, FakeClock()).measure_since(START - age)
    assert measured is bool(metrics.values[Metric.END_TO_END_SECONDS])


def test_a_message_not_sent_has_no_time_from_the_request(world: World) -> None:
    """What fails is not averaged in."""
    world.sender.fail(RateLimited("twilio_20429", Step.SEND))
    handle(world, body(changed(REQUESTED, "2027-01-15T07:59:50Z")))
    assert [] == world.metrics.values[Metric.END_TO_END_SECONDS]
