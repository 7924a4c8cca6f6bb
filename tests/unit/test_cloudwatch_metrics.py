"""The embedded metric format: lines that CloudWatch Logs makes metrics of, and nothing else."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from itertools import product
from typing import Any

import pytest

from lambda_src.core.errors import Step
from lambda_src.core.metric_names import Dimension, Kind, Metric, Unit
from lambda_src.services.cloudwatch_metrics import CloudWatchMetrics
from tests.unit.log_lines import LogLines

NAMESPACE = "AIComms/PushProcessor/Dev"


@pytest.fixture
def metrics() -> CloudWatchMetrics:
    """Metrics of a channel, nothing collected yet."""
    return CloudWatchMetrics(NAMESPACE)


def published(metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """The lines that publishing prints, parsed."""
    metrics.publish()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def directive(line: dict[str, Any]) -> dict[str, Any]:
    """What a line says of the metrics that it holds."""
    [only] = line["_aws"]["CloudWatchMetrics"]
    return dict(only)


def test_a_batch_is_one_line(
    metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts are summed, times keep each value, all of it without a dimension."""
    metrics.count(Metric.MESSAGES_SENT)
    metrics.count(Metric.MESSAGES_SENT)
    metrics.count(Metric.MESSAGES_FAILED, 0)
    metrics.measure(Metric.AI_SECONDS, 1.5)
    metrics.measure(Metric.AI_SECONDS, 2.5)

    [line] = published(metrics, capsys)

    assert {
        "Namespace": NAMESPACE,
        "Dimensions": [[]],
        "Metrics": [
            {"Name": "MessagesSent", "Unit": "Count"},
            {"Name": "MessagesFailed", "Unit": "Count"},
            {"Name": "AISeconds", "Unit": "Seconds"},
        ],
    } == directive(line)
    del line["_aws"]
    assert {"MessagesSent": [2], "MessagesFailed": [0], "AISeconds": [1.5, 2.5]} == line


def test_failures_have_a_line_for_each_step_and_kind(
    metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal failures are summed; what tells them apart are the two dimensions."""
    for step in (Step.AI, Step.SEND, Step.AI):
        metrics.count_failure(step, Kind.TRANSIENT)

    first, second = published(metrics, capsys)

    assert [["step", "kind"]] == directive(first)["Dimensions"]
    assert [{"Name": "Failures", "Unit": "Count"}] == directive(first)["Metrics"]
    assert ("ai", "transient", [2]) == (first["step"], first["kind"], first["Failures"])
    assert ("send", "transient", [1]) == (second["step"], second["kind"], second["Failures"])


def test_nothing_but_the_closed_sets_can_appear(
    metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is collected, names, units and dimensions are those of the contract."""
    for metric in set(Metric) - {Metric.FAILURES}:
        metrics.count(metric)
    for step, kind in product(Step, Kind):
        metrics.count_failure(step, kind)

    lines = published(metrics, capsys)

    assert 1 + len(Step) * len(Kind) == len(lines)
    assert {*Metric, *Dimension, "_aws"} == {key for line in lines for key in line}
    assert set(Step) == {line["step"] for line in lines[1:]}
    assert set(Kind) == {line["kind"] for line in lines[1:]}
    for line in lines:
        for entry in directive(line)["Metrics"]:
            assert Metric(entry["Name"]).unit is Unit(entry["Unit"])
            assert list(Metric(entry["Name"]).dimensions) == directive(line)["Dimensions"][0]


def test_each_number_is_published_once(
    metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next batch begins at nothing, and nothing prints nothing."""
    metrics.count(Metric.MESSAGES_SENT, 3)
    metrics.count_failure(Step.AI, Kind.TRANSIENT)
    assert 2 == len(published(metrics, capsys))
    assert [] == published(metrics, capsys)
    metrics.count(Metric.MESSAGES_SENT, 4)
    assert [[4]] == [line["MessagesSent"] for line in published(metrics, capsys)]


def test_threads_lose_nothing(
    metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many threads count and measure while another publishes: every number arrives once."""

    def work(number: int) -> None:
        metrics.count(Metric.MESSAGES_SENT)
        metrics.count_failure(Step.AI, Kind.TRANSIENT)
        metrics.measure(Metric.PROMPT_TOKENS, number)
        if number % 50 == 0:
            metrics.publish()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1000)))
    lines = published(metrics, capsys)

    sums = {
        name: sum(sum(line.get(name, [])) for line in lines)
        for name in ("MessagesSent", "Failures", "PromptTokens")
    }
    assert {"MessagesSent": 1000, "Failures": 1000, "PromptTokens": sum(range(1000))} == sums
    assert all(len(line.get("PromptTokens", [])) <= 100 for line in lines)


def test_other_settings_of_the_library_add_nothing(
    metrics: CloudWatchMetrics,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service's name is no dimension, though the environment may hold one."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "service")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "elsewhere")
    metrics.count(Metric.MESSAGES_SENT)
    [line] = published(metrics, capsys)
    assert (NAMESPACE, [[]]) == (directive(line)["Namespace"], directive(line)["Dimensions"])


def test_what_cannot_be_printed_fails_no_batch(
    metrics: CloudWatchMetrics, log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error while publishing is logged by its type, and goes no further."""
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    metrics.count(Metric.MESSAGES_SENT)
    metrics.publish()
    assert "ValueError" == log_lines.of("metrics_failed")["error_type"]
