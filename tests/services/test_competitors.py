"""The competitors that the reliability proof measures: each works while nothing fails."""

import time
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from lambda_src.core.contract import Status
from local.fakes.faults import Fault
from tests.faults.competitors import original, powertools
from tests.faults.competitors.straightforward import straightforward
from tests.support.channel import Channel, LambdaHandler, context
from tests.support.clock import FakeClock

IDEMPOTENCY = "idempotency-test"
NO_CONTEXT = "no context object"
COMPETITORS: dict[str, LambdaHandler] = {
    "original": original.lambda_handler,
    "powertools": powertools.lambda_handler,
}
BUSY, LOST = "twilio_20429", "twilio_answer_lost"
FAULTS = {BUSY: Fault.error(429, 20429), LOST: Fault.reset(effect_applied=True)}
SENT_IN_THE_END = {
    ("original", BUSY): 0,
    ("original", LOST): 1,
    ("powertools", BUSY): 1,
    ("powertools", LOST): 2,
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
    caches = (straightforward, original._sqs, powertools._idempotent)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@each_competitor
def test_one_message_is_sent_and_recorded_once(channel: Channel, handler: LambdaHandler) -> None:
    """The record has the message's sid; a second delivery is acknowledged, and sends nothing."""
    assert [] == channel.deliver(context(), handler=handler)
    (text,) = channel.phone()
    (sent,) = channel.twilio.messages()
    record = channel.record()
    assert text.startswith("Hello Amara! ")
    assert (Status.SENT, sent["sid"]) == (record["conversation_status"], record["message_sid"])
    assert 1 == len(record["messages"])

    assert [] == channel.deliver(context(), handler=handler)
    assert 1 == len(channel.phone())


@each_competitor
def test_one_bad_message_fails_alone(channel: Channel, handler: LambdaHandler) -> None:
    """An invalid body is reported, the rest of the batch is sent."""
    bodies = [context(conversation_id="c-1"), NO_CONTEXT, context(conversation_id="c-2")]
    assert [NO_CONTEXT] == channel.deliver(*bodies, handler=handler)
    assert 2 == len(channel.phone())


@pytest.mark.parametrize(("name", "code"), SENT_IN_THE_END)
def test_a_failure_is_recorded_and_its_redelivery_acknowledged(
    channel: Channel, caplog: pytest.LogCaptureFixture, name: str, code: str
) -> None:
    """The original never sends a message that failed; Powertools also sends one twice."""
    handler = COMPETITORS[name]
    channel.twilio.fail_next(FAULTS[code])
    assert [context()] == channel.deliver(context(), handler=handler)
    assert (Status.FAILED, code) == channel.status()
    assert code in [getattr(line, "event", "") for line in caplog.records]

    assert [] == channel.deliver(context(), receive_count=2, handler=handler)
    assert SENT_IN_THE_END[name, code] == len(channel.phone())


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
    crash = Mock(side_effect=SystemExit)  # when it writes the conversation's first record
    events = straightforward().records.client.meta.events
    events.register("before-call.dynamodb.PutItem", crash)
    with pytest.raises(SystemExit):
        channel.deliver(context(), seconds_left=100, handler=handler)
    events.unregister("before-call.dynamodb.PutItem", crash)

    powertools_clock.advance(99)
    assert [context()] == channel.deliver(context(), handler=handler)
    powertools_clock.advance(2)
    assert [] == channel.deliver(context(), handler=handler)

    assert 1 == len(channel.phone())
