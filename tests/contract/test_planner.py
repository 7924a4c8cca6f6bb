"""The planner's assumptions about a message and a channel, against runtime and template."""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Any

import pytest

from lambda_src.core.contract import Metric
from lambda_src.services.dynamodb import SHARDS, exceeds_size
from planner.usage import CALLS, CHANNEL_RESOURCES, EXAMPLE, KB, MonthlyResources, Per
from stacks.capacity.limits import SUPPRESSION_PARTITIONS
from tests.contract.conftest import runtime_clients
from tests.infra.synthesis import DELIVERY, synthesize
from tests.support.channel import CONVERSATION, Channel, context

TOLERANCE = 0.1
"""Relative difference of sizes, because names and times vary in length."""


def _size(item: Mapping[str, Any]) -> int:
    """Return the bytes that DynamoDB counts for an item."""
    return bisect_left(range(400_000), True, key=lambda size: not exceeds_size(size, item))


@pytest.mark.parametrize("messages", [1, 10])
def test_calls_of_a_batch(channel: Channel, messages: int) -> None:
    """A batch of a cold instance makes the planned calls: three writes per message, rest shared."""
    planned: Counter[str] = Counter()
    for call in CALLS:
        if call.by == "runtime":
            planned[call.action] += {Per.MESSAGE: messages, Per.BATCH: 1, Per.INSTANCE: 2}[call.per]
    made: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        made[f"{model.service_model.service_name}:{model.name}"] += 1

    for client in runtime_clients(channel):
        client.meta.events.register("provide-client-params.*", count)
    bodies = [context(conversation_id=str(number)) for number in range(messages)]
    assert [] == channel.deliver(*bodies)
    assert planned == made


def test_sizes_of_writes(channel: Channel) -> None:
    """The record has the planned size after each write, and takes the planned write units."""
    sizes: list[int] = []

    def measure(**_: object) -> None:
        sizes.append(_size(channel.record()))

    channel.table_client().meta.events.register("after-call.dynamodb.*", measure)
    channel.deliver(context(conversation_id=CONVERSATION))
    for planned, found in zip((EXAMPLE.leased, EXAMPLE.intent, EXAMPLE.sent), sizes, strict=True):
        assert planned == pytest.approx(found, rel=TOLERANCE)
    leased, intent, sent = (ceil(size / KB) for size in sizes)
    assert EXAMPLE.write_units == 2 * (leased + 1) + intent + max(intent, sent)


def test_size_of_the_log(channel: Channel) -> None:
    """The lines of a batch of ten, with its metrics, have the planned length."""
    channel.deliver(*(context(conversation_id=str(number)) for number in range(10)))
    lines = [*channel.read_log(), *channel.read_metrics()]
    planned = EXAMPLE.log_per_batch + 10 * EXAMPLE.log_per_message
    assert planned == pytest.approx(sum(len(json.dumps(line)) for line in lines), rel=TOLERANCE)


def test_resources_of_a_channel() -> None:
    """Secrets, metrics, dashboards and partitions of suppressions are as many as planned."""
    assert len(SHARDS) == SUPPRESSION_PARTITIONS
    dev = synthesize(**DELIVERY)
    alarms = [part["Properties"] for part in dev.resources("WhatsApp", "AWS::CloudWatch::Alarm")]
    queries = [query for alarm in alarms for query in alarm.get("Metrics", [{"MetricStat": {}}])]
    own_metrics = [metric for metric in Metric if not metric.dimensions]
    assert CHANNEL_RESOURCES == MonthlyResources(
        secrets=len(dev.resources("WhatsApp", "AWS::SecretsManager::Secret")),
        metrics=len(own_metrics) + len(dev.resources("WhatsApp", "AWS::Logs::MetricFilter")),
        alarm_metrics=len([query for query in queries if "MetricStat" in query]),
        dashboards=len(dev.resources("WhatsApp", "AWS::CloudWatch::Dashboard")),
    )
