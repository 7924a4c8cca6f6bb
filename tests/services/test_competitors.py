"""The competitors that the reliability proof measures: each works while nothing fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lambda_src.core.contract import Status
from local.fakes.faults import Fault
from tests.faults.competitors import original, powertools
from tests.faults.competitors.straightforward import straightforward
from tests.support.channel import Channel, LambdaHandler, context
from tests.support.clock import FakeClock

IDEMPOTENCY = "idempotency-test"
NO_CONTEXT = "no context object"
BUSY = Fault.error(429, 20429)
BUSY_CODE = "twilio_20429"
COMPETITORS: dict[str, LambdaHandler] = {
    "original": original.lambda_handler,
    "powertools": powertools.lambda_handler,
}

each_competitor = pytest.mark.parametrize("handler", COMPETITORS.values(), ids=COMPETITORS)


@pytest.fixture(autouse=True)
def _cold(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each starts cold, in a channel with a table for Powertools."""
    channel.dynamodb.create_table(
        TableName=IDEMPOTENCY,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    monkeypatch.setenv(powertools.IDEMPOTENCY_TABLE, IDEMPOTENCY)
    _clear_caches()
    yield
    _clear_caches()


def _clear_caches() -> None:
    for cached in (straightforward, original._sqs, powertools._idempotent):
        cached.cache_clear()


@each_competitor
def test_one_message_is_sent_and_recorded(channel: Channel, handler: LambdaHandler) -> None:
    """A context object becomes one template message, and the record has its sid."""
    assert [] == channel.deliver(context(), handler=handler)

    (text,) = channel.phone()
    (sent,) = channel.twilio.messages()
    record = channel.record()
    assert text.startswith("Hello Amara! ")
    assert (Status.SENT, sent["sid"]) == (record["conversation_status"], record["message_sid"])
    assert 1 == len(record["messages"])


@each_competitor
def test_a_duplicate_is_acknowledged(channel: Channel, handler: LambdaHandler) -> None:
    """A second delivery of a sent message is acknowledged, and sends nothing."""
    channel.deliver(context(), handler=handler)

    assert [] == channel.deliver(context(), handler=handler)

    assert 1 == len(channel.phone())


@each_competitor
def test_one_bad_message_fails_alone(channel: Channel, handler: LambdaHandler) -> None:
    """An invalid body is reported, the rest of the batch is sent."""
    bodies = [context(conversation_id="c-1"), NO_CONTEXT, context(conversation_id="c-2")]

    assert [NO_CONTEXT] == channel.deliver(*bodies, handler=handler)

    assert 2 == len(channel.phone())


@each_competitor
def test_a_failure_is_recorded_and_reported(
    channel: Channel, handler: LambdaHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """A vendor's refusal is logged, recorded as `failed` and reported."""
    channel.twilio.fail_next(BUSY)

    assert [context()] == channel.deliver(context(), handler=handler)

    record = channel.record()
    assert (Status.FAILED, BUSY_CODE) == (record["conversation_status"], record["failure"]["code"])
    assert BUSY_CODE in [getattr(line, "event", "") for line in caplog.records]


@pytest.mark.parametrize(
    ("handler", "sent"),
    [(original.lambda_handler, 0), (powertools.lambda_handler, 1)],
    ids=COMPETITORS,
)
def test_redelivery_after_a_failure(channel: Channel, handler: LambdaHandler, sent: int) -> None:
    """The original acknowledges its failed record as sent; Powertools attempts it again."""
    channel.twilio.fail_next(BUSY)
    channel.deliver(context(), handler=handler)

    assert [] == channel.deliver(context(), receive_count=2, handler=handler)

    assert sent == len(channel.phone())


@pytest.mark.parametrize(
    ("handler", "sent"),
    [(original.lambda_handler, 1), (powertools.lambda_handler, 2)],
    ids=COMPETITORS,
)
def test_redelivery_after_a_lost_answer(
    channel: Channel, handler: LambdaHandler, sent: int
) -> None:
    """The original records a sent message as `failed`; Powertools sends it twice."""
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context(), handler=handler)
    assert Status.FAILED == channel.record()["conversation_status"]

    assert [] == channel.deliver(context(), receive_count=2, handler=handler)

    assert sent == len(channel.phone())


class Crash(BaseException):
    """The invocation's process ends."""


@contextmanager
def crashing() -> Iterator[None]:
    """Let the process end when it writes a conversation's first record."""

    def crash(**_: object) -> None:
        raise Crash

    events = straightforward().records.client.meta.events
    events.register("before-call.dynamodb.PutItem", crash)
    yield
    events.unregister("before-call.dynamodb.PutItem", crash)


@pytest.fixture
def powertools_clock() -> Iterator[FakeClock]:
    """The clock of the idempotency utility."""
    clock = FakeClock()
    powertools.use_clock(clock)
    yield clock
    powertools.use_clock(time.time)


def test_powertools_waits_for_a_crashed_invocation(
    channel: Channel, powertools_clock: FakeClock
) -> None:
    """Its message is reported until that invocation's time is over."""
    handler = powertools.lambda_handler
    with crashing(), pytest.raises(Crash):
        channel.deliver(context(), seconds_left=100, handler=handler)

    powertools_clock.advance(99)
    assert [context()] == channel.deliver(context(), handler=handler)
    powertools_clock.advance(2)
    assert [] == channel.deliver(context(), handler=handler)

    assert 1 == len(channel.phone())
