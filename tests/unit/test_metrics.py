"""Metrics: what is measured of a message, and the lines in the embedded metric format."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from itertools import product
from typing import Any

import pytest

from lambda_src.core.batch import MAX_REQUEST_AGE_SECONDS
from lambda_src.core.contract import ENDS, Dimension, Kind, Metric, Step, Unit
from lambda_src.core.errors import RateLimited, TransientFailure
from lambda_src.services.cloudwatch_metrics import CloudWatchMetrics
from tests.support.clock import START
from tests.support.contexts import body, changed
from tests.support.fakes import ANSWER
from tests.support.logs import LogLines
from tests.support.runtime import FakeRuntime

NAMESPACE = "AIComms/PushProcessor/Dev"
REQUESTED_AT = "frontend_payload.request_data.initial_request_timestamp"


@pytest.fixture
def slow(runtime: FakeRuntime) -> FakeRuntime:
    """The AI takes 7 s, the vendor 0.5 s."""
    runtime.while_generating(lambda: runtime.clock.advance(7.0))
    runtime.sender.during = lambda: runtime.clock.advance(0.5)
    return runtime


def test_a_sent_message_is_measured(slow: FakeRuntime) -> None:
    """The AI's seconds and tokens, and the vendor's seconds."""
    slow.process()
    assert {
        Metric.AI_SECONDS: [7.0],
        Metric.PROMPT_TOKENS: [ANSWER.usage.prompt_tokens],
        Metric.COMPLETION_TOKENS: [ANSWER.usage.completion_tokens],
        Metric.SEND_SECONDS: [0.5],
    } == slow.metrics.values


def test_a_failed_request_to_the_ai_is_measured(slow: FakeRuntime) -> None:
    """Its duration counts, and no tokens."""
    slow.generator.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure):
        slow.process()
    assert {Metric.AI_SECONDS: [7.0]} == slow.metrics.values


def test_each_request_to_send_is_measured(slow: FakeRuntime) -> None:
    """A refusal and a later send are two requests, for one answer."""
    slow.sender.fail(RateLimited("twilio_20429", Step.SEND))
    with pytest.raises(RateLimited):
        slow.process()
    slow.process(receive_count=2)
    assert [0.5, 0.5] == slow.metrics.values[Metric.SEND_SECONDS]
    assert [7.0] == slow.metrics.values[Metric.AI_SECONDS]


def test_every_count_is_published_with_every_batch(runtime: FakeRuntime) -> None:
    """What did not happen is published as zero, so that graphs have no gaps."""
    runtime.batch().handle([runtime.delivery("{")])
    assert {*ENDS, Metric.MESSAGES_RECEIVED, Metric.HEARTBEAT_FAILURES} == set(
        runtime.metrics.counts
    )
    assert 1 == runtime.metrics.published


def ago(seconds: float) -> str:
    """Return the time that long before the test's beginning, in ISO 8601."""
    return datetime.fromtimestamp(START - seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2027-01-15T08:59:50+01:00", [10.0]), (ago(0), [0.0]), (ago(-0.1), []),
        (ago(MAX_REQUEST_AGE_SECONDS), [MAX_REQUEST_AGE_SECONDS]),
        (ago(MAX_REQUEST_AGE_SECONDS + 1), []), (None, []), ("2027-01-15T07:59:50", []),
        ("2027-01-15", []), ("1970-01-01T00:00:00Z", []),
    ],
)  # fmt: skip
def test_the_end_to_end_time_is_measured_where_it_is_plausible(
    runtime: FakeRuntime, timestamp: str | None, expected: list[float]
) -> None:
    """It needs a time zone, and is neither in the future nor older than any message."""
    runtime.batch().handle([runtime.delivery(body(changed(REQUESTED_AT, timestamp)))])
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_SENT]
    assert expected == runtime.metrics.values[Metric.END_TO_END_SECONDS]


def test_a_failed_message_has_no_end_to_end_time(runtime: FakeRuntime) -> None:
    """Failures are not averaged in."""
    runtime.sender.fail(RateLimited("twilio_20429", Step.SEND))
    runtime.batch().handle([runtime.delivery(body(changed(REQUESTED_AT, "2027-01-15T07:59:50Z")))])
    assert [] == runtime.metrics.values[Metric.END_TO_END_SECONDS]


# --- the embedded metric format


@pytest.fixture
def metrics() -> CloudWatchMetrics:
    """Metrics of a channel, nothing recorded yet."""
    return CloudWatchMetrics(NAMESPACE)


class Publish:
    """Publishes, and returns the printed lines, parsed."""

    def __init__(self, metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]) -> None:
        self._metrics, self._capsys = metrics, capsys

    def __call__(
        self,
        counts: dict[Metric, int] | None = None,
        failures: dict[tuple[Step, Kind], int] | None = None,
    ) -> list[Any]:
        """Publish a batch."""
        self._metrics.publish(counts or {}, failures or {})
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def publish(metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]) -> Publish:
    """Publishes a batch."""
    return Publish(metrics, capsys)


def directive(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line's only metric directive."""
    [only] = line["_aws"]["CloudWatchMetrics"]
    return dict(only)


def test_a_batch_is_one_line(metrics: CloudWatchMetrics, publish: Publish) -> None:
    """Counts and all recorded values, without a dimension."""
    metrics.record({Metric.AI_SECONDS: 1.5})
    metrics.record({Metric.AI_SECONDS: 2.5})

    [line] = publish({Metric.MESSAGES_SENT: 2, Metric.MESSAGES_FAILED: 0})

    assert (NAMESPACE, [[]]) == (directive(line)["Namespace"], directive(line)["Dimensions"])
    assert {"MessagesSent": "Count", "MessagesFailed": "Count", "AISeconds": "Seconds"} == {
        metric["Name"]: metric["Unit"] for metric in directive(line)["Metrics"]
    }
    del line["_aws"]
    assert {"MessagesSent": [2], "MessagesFailed": [0], "AISeconds": [1.5, 2.5]} == line


def test_failures_have_one_line_per_step_and_kind(publish: Publish) -> None:
    """The two dimensions distinguish them."""
    first, second = publish({}, {(Step.AI, Kind.TRANSIENT): 2, (Step.SEND, Kind.TRANSIENT): 1})

    assert [["step", "kind"]] == directive(first)["Dimensions"]
    assert [{"Name": "Failures", "Unit": "Count"}] == directive(first)["Metrics"]
    assert ("ai", "transient", [2]) == (first["step"], first["kind"], first["Failures"])
    assert ("send", "transient", [1]) == (second["step"], second["kind"], second["Failures"])


def test_only_names_of_the_contract_appear(publish: Publish) -> None:
    """Whatever is published, names, units and dimensions are from closed sets."""
    counts: dict[Metric, int] = dict.fromkeys(Metric, 1)
    del counts[Metric.FAILURES]

    lines = publish(counts, dict.fromkeys(product(Step, Kind), 1))

    assert 1 + len(Step) * len(Kind) == len(lines)
    assert {*Metric, *Dimension, "_aws"} == {key for line in lines for key in line}
    assert set(Step) == {line["step"] for line in lines[1:]}
    assert set(Kind) == {line["kind"] for line in lines[1:]}
    for line in lines:
        for entry in directive(line)["Metrics"]:
            assert Metric(entry["Name"]).unit is Unit(entry["Unit"])
            assert list(Metric(entry["Name"]).dimensions) == directive(line)["Dimensions"][0]


def test_each_number_is_published_once(metrics: CloudWatchMetrics, publish: Publish) -> None:
    """A batch without numbers prints nothing."""
    metrics.record({Metric.AI_SECONDS: 1.5})
    assert 2 == len(publish({Metric.MESSAGES_SENT: 3}, {(Step.AI, Kind.TRANSIENT): 1}))
    assert [] == publish()
    [line] = publish({Metric.MESSAGES_SENT: 4})
    assert [4] == line["MessagesSent"]
    assert "AISeconds" not in line


def test_threads_lose_no_value(metrics: CloudWatchMetrics, publish: Publish) -> None:
    """Many threads record while another publishes: every value is published once."""

    def work(number: int) -> None:
        metrics.record({Metric.PROMPT_TOKENS: number})
        if number % 50 == 0:
            metrics.publish({}, {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1000)))
    lines = publish()

    assert sum(range(1000)) == sum(sum(line.get("PromptTokens", [])) for line in lines)
    assert all(len(line.get("PromptTokens", [])) <= 100 for line in lines)


def test_an_error_while_publishing_fails_no_batch(
    metrics: CloudWatchMetrics, log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged by its type."""
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    metrics.publish({Metric.MESSAGES_SENT: 1}, {})
    assert "ValueError" == log_lines.of("metrics_failed")["error_type"]
