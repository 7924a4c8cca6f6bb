"""The rival designs that the fault proof measures: each does the job where nothing goes wrong."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lambda_src.core.contract import Status
from local.stand_ins.faults import Fault
from tests.faults.rivals import clock, original, powertools
from tests.faults.rivals.straightforward import straightforward
from tests.services.channel import Channel, LambdaHandler, context
from tests.unit.fakes.clock import FakeClock

IDEMPOTENCY = "idempotency-test"
NO_CONTEXT = "no context object"
BUSY = Fault.error(429, 20429)
BUSY_CODE = "twilio_20429"
RIVALS: dict[str, LambdaHandler] = {
    "original": original.lambda_handler,
    "powertools": powertools.lambda_handler,
}

every_rival = pytest.mark.parametrize("handler", RIVALS.values(), ids=RIVALS)


@pytest.fixture(autouse=True)
def _cold(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each rival starts cold, in a channel with a table for Powertools."""
    channel.dynamodb.create_table(
        TableName=IDEMPOTENCY,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    monkeypatch.setenv(powertools.IDEMPOTENCY_TABLE, IDEMPOTENCY)
    _forget()
    yield
    _forget()


def _forget() -> None:
    for made in (straightforward, original._sqs, powertools._idempotent):
        made.cache_clear()


@every_rival
def test_sends_and_records_one_message(channel: Channel, handler: LambdaHandler) -> None:
    """A context object becomes one template message, and the record holds its sid."""
    assert [] == channel.deliver(context(), handler=handler)

    (text,) = channel.phone()
    (sent,) = channel.twilio.messages()
    record = channel.record()
    assert text.startswith("Hello Amara! ")
    assert (Status.SENT, sent["sid"]) == (record["conversation_status"], record["message_sid"])
    assert 1 == len(record["messages"])


@every_rival
def test_acknowledges_a_duplicate(channel: Channel, handler: LambdaHandler) -> None:
    """A second delivery of a sent message is acknowledged, and sends nothing."""
    channel.deliver(context(), handler=handler)

    assert [] == channel.deliver(context(), handler=handler)

    assert 1 == len(channel.phone())


@every_rival
def test_one_bad_message_fails_alone(channel: Channel, handler: LambdaHandler) -> None:
    """A body that is no context object is reported, the rest of the batch is sent."""
    bodies = [context(conversation_id="c-1"), NO_CONTEXT, context(conversation_id="c-2")]

    assert [NO_CONTEXT] == channel.deliver(*bodies, handler=handler)

    assert 2 == len(channel.phone())


@every_rival
def test_failure_is_recorded_and_reported(
    channel: Channel, handler: LambdaHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """A vendor's refusal is logged, recorded as `failed` and reported."""
    channel.twilio.fail_next(BUSY)

    assert [context()] == channel.deliver(context(), handler=handler)

    record = channel.record()
    assert (Status.FAILED, BUSY_CODE) == (record["conversation_status"], record["failure"]["code"])
    assert BUSY_CODE in [getattr(line, "event", "") for line in caplog.records]


@pytest.mark.parametrize(
    ("handler", "sent"), [(original.lambda_handler, 0), (powertools.lambda_handler, 1)], ids=RIVALS
)
def test_redelivery_after_a_failure(channel: Channel, handler: LambdaHandler, sent: int) -> None:
    """The original takes the record of its failure for a message sent; Powertools tries again."""
    channel.twilio.fail_next(BUSY)
    channel.deliver(context(), handler=handler)

    assert [] == channel.deliver(context(), receive_count=2, handler=handler)

    assert sent == len(channel.phone())


@pytest.mark.parametrize(
    ("handler", "sent"), [(original.lambda_handler, 1), (powertools.lambda_handler, 2)], ids=RIVALS
)
def test_redelivery_after_a_lost_answer(
    channel: Channel, handler: LambdaHandler, sent: int
) -> None:
    """The original says `failed` of a message that was sent; Powertools sends it twice."""
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context(), handler=handler)
    assert Status.FAILED == channel.record()["conversation_status"]

    assert [] == channel.deliver(context(), receive_count=2, handler=handler)

    assert sent == len(channel.phone())


class Died(BaseException):
    """The invocation's process is gone."""


@contextmanager
def dying() -> Iterator[None]:
    """Let whoever writes a conversation's first record die of it."""

    def die(**_: object) -> None:
        raise Died

    events = straightforward().records._client.meta.events
    events.register("before-call.dynamodb.PutItem", die)
    yield
    events.unregister("before-call.dynamodb.PutItem", die)


@pytest.fixture
def powertools_clock() -> Iterator[FakeClock]:
    """A clock that the idempotency utility goes by."""
    moved = FakeClock()
    clock.go_by(moved)
    yield moved
    clock.go_by(time.time)


def test_powertools_waits_for_the_dead(channel: Channel, powertools_clock: FakeClock) -> None:
    """What a dead invocation left in progress is reported until that invocation's time is over."""
    handler = powertools.lambda_handler
    with dying(), pytest.raises(Died):
        channel.deliver(context(), seconds_left=100, handler=handler)

    powertools_clock.advance(99)
    assert [context()] == channel.deliver(context(), handler=handler)
    powertools_clock.advance(2)
    assert [] == channel.deliver(context(), handler=handler)

    assert 1 == len(channel.phone())
