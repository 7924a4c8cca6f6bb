"""The handler's metrics as they leave it: one line a batch, true numbers, nothing personal."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.core.contract import METRICS_NAMESPACE
from lambda_src.core.metric_names import ENDS, Dimension, Metric
from local.stand_ins.faults import Fault
from tests.services.channel import RECIPIENT, Channel, context

NUMBERS = {*Metric} - {Metric.FAILURES}
"""Every metric without dimensions."""


def requested(seconds_ago: float) -> Callable[[dict[str, Any]], None]:
    """Let the router have been asked that long ago."""
    moment = datetime.now(UTC) - timedelta(seconds=seconds_ago)

    def change(document: dict[str, Any]) -> None:
        request = document["frontend_payload"]["request_data"]
        request["initial_request_timestamp"] = moment.isoformat()

    return change


def test_a_sent_message_is_one_line(channel: Channel) -> None:
    """A batch that is sent has every number in one line, and no failure."""
    begun = time.time()
    channel.deliver(context(requested(60)), context(requested(3600), conversation_id="another"))
    elapsed = time.time() - begun

    [line] = channel.read_metrics()

    assert {*NUMBERS, "_aws"} == set(line)
    assert [[2], [2]] == [line["MessagesReceived"], line["MessagesSent"]]
    short, long = sorted(line["EndToEndSeconds"])
    assert 60 <= short <= 60 + elapsed
    assert 3600 <= long <= 3600 + elapsed
    record = channel.record()
    assert {record["messages"][0]["prompt_tokens"]} == set(line["PromptTokens"])
    assert {record["messages"][0]["completion_tokens"]} == set(line["CompletionTokens"])
    assert all(0 < seconds <= elapsed for seconds in [*line["AISeconds"], *line["SendSeconds"]])


def test_failures_have_their_own_lines(channel: Channel) -> None:
    """Each step and kind that failed adds a line, and the ends add up to what was received."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(), "no context object", "no context object")

    numbers, *failures = channel.read_metrics()

    assert [3] == numbers["MessagesReceived"]
    assert 3 == sum(numbers[end][0] for end in ENDS)
    expected = {("ai", "rate_limited", 1), ("parse", "permanent", 2)}
    assert expected == {(f["step"], f["kind"], *f["Failures"]) for f in failures}
    assert all({"_aws", "Failures", *Dimension} == set(failure) for failure in failures)


def test_metrics_tell_nobody_anything(channel: Channel) -> None:
    """No number, id or text of a message or its tenant gets into a metric."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context(conversation_id="lost"), context(conversation_id="sent"), "canary")

    written = json.dumps(channel.read_metrics())

    private = (RECIPIENT, "canary", "lost", "sent", "demo-company", "req-0001", "Amara", "SM", "AC")
    assert not [text for text in private if f'"{text}' in written]


@pytest.mark.parametrize("named", ["AIComms/PushProcessor/Dev", ""])
def test_metrics_go_into_the_namespace_named(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The environment says where metrics go; unnamed, they are apart from any deployed ones."""
    monkeypatch.setenv(METRICS_NAMESPACE, named)
    channel.deliver("no context object")

    namespaces = {
        directive["Namespace"]
        for line in channel.read_metrics()
        for directive in line["_aws"]["CloudWatchMetrics"]
    }
    assert {named or "AIComms/whatsapp-channel-processor"} == namespaces
