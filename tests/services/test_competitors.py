"""The competitors that the reliability proof measures: each works while nothing fails."""

from collections.abc import Iterator

import pytest

from lambda_src.core.contract import Status
from tests.faults.competitors import original, powertools
from tests.faults.competitors.straightforward import straightforward
from tests.support.channel import Channel, LambdaHandler, context

IDEMPOTENCY = "idempotency-test"
COMPETITORS: dict[str, LambdaHandler] = {
    "original": original.lambda_handler,
    "powertools": powertools.lambda_handler,
}


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


@pytest.mark.parametrize("handler", COMPETITORS.values(), ids=COMPETITORS)
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
