"""What is counted of a batch: each delivery once, by how it ended, and failures by their sort."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    AccountRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.metric_names import ENDS, Kind, Metric
from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.contexts import body, changed
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.metrics import FakeMetrics
from tests.unit.fakes.world import KEY, World

VALID = body(contexts.valid())
REQUESTED = "frontend_payload.request_data.initial_request_timestamp"


@dataclass(frozen=True)
class Case:
    """A way for one delivery to end, what it is counted as, and as which failure."""

    name: str
    end: Metric
    failure: tuple[Step, Kind] | None
    arrange: Callable[[World], object] = lambda _: None
    text: str = VALID
    receive_count: int = 1


def stands(status: Status) -> Callable[[World], object]:
    """A record is there already."""
    record = Record(KEY, status, START, owner="another", lease_expires_at=START + 60)
    return lambda world: world.conversations.records.update({KEY: record})


def fails(port: str, error: ProcessingError) -> Callable[[World], object]:
    """The AI or the vendor fails once."""
    return lambda world: getattr(world, port).fail(error)


CASES = [
    Case("sent", Metric.MESSAGES_SENT, None),
    Case("sent before", Metric.MESSAGES_REPEATED, None, stands(Status.SENT)),
    Case("failed before", Metric.MESSAGES_REPEATED, None, stands(Status.FAILED)),
    Case("no context", Metric.MESSAGES_FAILED, (Step.PARSE, Kind.PERMANENT), text="{"),
    Case("no context, again", Metric.MESSAGES_REPEATED, None, text="{", receive_count=2),
    Case(
        "busy",
        Metric.MESSAGES_RETRIED,
        (Step.CLAIM, Kind.ELSEWHERE),
        stands(Status.PROCESSING),
    ),
    Case(
        "last delivery",
        Metric.MESSAGES_FAILED,
        (Step.CLAIM, Kind.USED_UP),
        receive_count=10,
    ),
    Case(
        "AI down",
        Metric.MESSAGES_RETRIED,
        (Step.AI, Kind.TRANSIENT),
        fails("writer", TransientFailure("openai_500", Step.AI)),
    ),
    Case(
        "AI without money",
        Metric.MESSAGES_RETRIED,
        (Step.AI, Kind.ACCOUNT_REFUSED),
        fails("writer", AccountRefused("openai_insufficient_quota", Step.AI)),
    ),
    Case(
        "vendor busy",
        Metric.MESSAGES_RETRIED,
        (Step.SEND, Kind.RATE_LIMITED),
        fails("sender", RateLimited("twilio_20429", Step.SEND)),
    ),
    Case(
        "refused",
        Metric.MESSAGES_FAILED,
        (Step.SEND, Kind.PERMANENT),
        fails("sender", PermanentFailure("twilio_21610", Step.SEND)),
        receive_count=3,
    ),
    Case(
        "answer lost",
        Metric.MESSAGES_RETRIED,
        (Step.SEND, Kind.PENDING),
        fails("sender", SendOutcomeUnknown("twilio_500", Step.SEND)),
    ),
    Case(
        "never found",
        Metric.MESSAGES_UNKNOWN,
        (Step.SETTLE, Kind.UNKNOWN),
        stands(Status.SENDING),
        receive_count=10,
    ),
    Case(
        "unrecorded",
        Metric.MESSAGES_RETRIED,
        (Step.RECORD, Kind.UNRECORDED),
        lambda world: world.conversations.fail("record_sent", Fault.REFUSED),
    ),
    Case(
        "unforeseen",
        Metric.MESSAGES_RETRIED,
        (Step.CLAIM, Kind.TRANSIENT),
        lambda world: world.conversations.fail("create", Fault.UNFORESEEN),
    ),
]


def handle(world: World, text: str = VALID, receive_count: int = 1) -> FakeMetrics:
    """Work on a batch of one message, and tell what was counted since the world began."""
    world.batch().handle([world.delivery(text, receive_count=receive_count)])
    return world.metrics


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_delivery_counts_once_by_its_end(world: World, case: Case) -> None:
    """However it ends, it is one end of one delivery received."""
    case.arrange(world)
    counted = handle(world, case.text, case.receive_count)
    assert {case.end: 1} == counted.ends
    assert 1 == counted.counts[Metric.MESSAGES_RECEIVED]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_failure_counts_by_step_and_kind(world: World, case: Case) -> None:
    """What went wrong is counted too, unless it had been counted before."""
    case.arrange(world)
    counted = handle(world, case.text, case.receive_count)
    assert ({case.failure: 1} if case.failure else {}) == counted.failures


def test_a_settled_send_is_not_a_sent_one(world: World) -> None:
    """A message whose record was repaired counts as settled, without a time from the request."""
    world.sender.lose_answer()
    text = body(changed(REQUESTED, "2027-01-15T07:59:50Z"))
    handle(world, text)
    world.clock.advance(world.timing.send_span)
    counted = handle(world, text, receive_count=2)
    assert {Metric.MESSAGES_RETRIED: 1, Metric.MESSAGES_SETTLED: 1} == counted.ends
    assert [] == counted.values[Metric.END_TO_END_SECONDS]


def test_ends_add_up_to_what_was_received(world: World) -> None:
    """In a batch of many fates, none is forgotten and none counts twice."""
    texts = [VALID, "{", "[]", body(changed("conversation_data.conversation_id", "another"))]
    deliveries = [world.delivery(text, message_id=f"m-{n}") for n, text in enumerate(texts)]
    world.batch().handle(deliveries)
    assert {Metric.MESSAGES_SENT: 2, Metric.MESSAGES_FAILED: 2} == world.metrics.ends
    assert 4 == world.metrics.counts[Metric.MESSAGES_RECEIVED]


def test_every_end_is_counted_in_every_batch(world: World) -> None:
    """What did not happen is published as zero, once a batch."""
    counted = handle(world)
    assert {*ENDS, Metric.MESSAGES_RECEIVED, Metric.HEARTBEAT_FAILURES} == set(counted.counts)
    assert 1 == counted.published


def test_messages_that_the_heartbeat_lost_are_counted(world: World) -> None:
    """A sent message that was not kept invisible counts as sent and as a failed heartbeat."""
    world.heartbeat.unkept = frozenset({"message-1"})
    counted = handle(world)
    assert 1 == counted.counts[Metric.HEARTBEAT_FAILURES]
    assert {Metric.MESSAGES_SENT: 1} == counted.ends
