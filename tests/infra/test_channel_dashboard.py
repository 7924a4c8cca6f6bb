"""The dashboard: every graph shows a metric that somebody emits, and every metric has a graph."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lambda_src.core.metric_names import ENDS, Metric
from tests.infra.outline import DASHBOARD, dashboard_body
from tests.infra.synthesis import ENVIRONMENTS, Synthesized, synthesize

NAMESPACE = "AIComms/WhatsAppProcessor/Dev"
AWS_METRICS = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        "QueueName",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
        },
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": (
        "FunctionName",
        {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"},
    ),
}
"""AWS's own metrics that may be shown, by namespace, with their dimension."""
SEARCH = re.compile(r"SEARCH\('\{(?P<schema>[^}]+)\} MetricName=\"(?P<name>\w+)\"', 'Sum'\)")


@dataclass(frozen=True)
class Shown:
    """One line of a widget: a metric, or all that a search finds."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]
    statistic: str


def widgets(synthesized: Synthesized) -> list[dict[str, Any]]:
    """The dashboard's widgets."""
    joined = synthesized.properties("WhatsApp", DASHBOARD)["DashboardBody"]
    found: list[dict[str, Any]] = dashboard_body(joined)["widgets"]
    return found


def shown(synthesized: Synthesized) -> Iterator[Shown]:
    """Every metric that a widget shows."""
    for widget in widgets(synthesized):
        for line in widget["properties"].get("metrics", []):
            yield _searched(line[0]) if isinstance(line[0], dict) else _named(line)


def _searched(rendering: dict[str, str]) -> Shown:
    found = SEARCH.fullmatch(rendering["expression"])
    assert found
    namespace, *dimensions = found["schema"].split(",")
    return Shown(namespace.strip('"'), found["name"], tuple(dimensions), "Sum")


def _named(line: list[Any]) -> Shown:
    namespace, name, *pairs, rendering = line
    return Shown(namespace, name, tuple(pairs[::2]), rendering.get("stat", "Average"))


def test_every_graph_shows_a_metric_that_exists(dev: Synthesized) -> None:
    """Namespace, name and dimensions are the runtime's own, or AWS's."""
    for line in shown(dev):
        if line.namespace == NAMESPACE:
            assert Metric(line.name).dimensions == line.dimensions
        else:
            dimension, names = AWS_METRICS[line.namespace]
            assert (dimension,) == line.dimensions
            assert line.name in names


def test_every_metric_of_the_runtime_is_shown(dev: Synthesized) -> None:
    """What is paid for is looked at."""
    assert set(Metric) == {line.name for line in shown(dev) if line.namespace == NAMESPACE}


def test_counts_are_summed_and_times_are_not(dev: Synthesized) -> None:
    """A sum of seconds says nothing, and neither does an average of counts."""
    own = [line for line in shown(dev) if line.namespace == NAMESPACE]
    assert {"Sum"} == {line.statistic for line in own if not line.name.endswith("Seconds")}
    assert {"p50", "p99"} == {line.statistic for line in own if line.name.endswith("Seconds")}


def test_outcomes_stand_on_each_other(dev: Synthesized) -> None:
    """All ends of a delivery are in one graph, but for deliveries of what had ended before."""
    [outcomes] = [w["properties"] for w in widgets(dev) if w["properties"]["title"] == "Outcomes"]
    assert outcomes["stacked"]
    expected = [end for end in ENDS if end is not Metric.MESSAGES_REPEATED]
    assert expected == [line[1] for line in outcomes["metrics"]]


def test_every_alarm_is_shown(dev: Synthesized) -> None:
    """The first thing to see is the state of each alarm of the stack."""
    template = dev.template("WhatsApp")["Resources"]
    alarms = [name for name, item in template.items() if item["Type"] == "AWS::CloudWatch::Alarm"]
    first = widgets(dev)[0]
    assert "alarm" == first["type"]
    assert {f"${{{name}.Arn}}" for name in alarms} == set(first["properties"]["alarms"])


def test_widgets_fill_the_grid_without_overlap(dev: Synthesized) -> None:
    """Every cell of the 24 columns is covered once."""
    cells = [
        (x, y)
        for widget in widgets(dev)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    height = 1 + max(y for _, y in cells)
    assert sorted(cells) == [(x, y) for x in range(24) for y in range(height)]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_output_leads_to_the_dashboard(name: str) -> None:
    """Whoever deploys is told where to look."""
    synthesized = synthesize(name)
    dashboard = synthesized.properties("WhatsApp", DASHBOARD)["DashboardName"]
    address = synthesized.template("WhatsApp")["Outputs"]["DashboardUrl"]["Value"]
    assert f"ai-multi-comms-whatsapp-dashboard-{name}" == dashboard
    assert json.dumps(address).endswith(f'#dashboards/dashboard/{dashboard}"]]}}')


def test_limits_are_those_of_the_environment(dev: Synthesized) -> None:
    """Duration is drawn against the function's timeout, concurrency against the mapping's."""
    limits = {
        widget["properties"]["title"]: limit["value"]
        for widget in widgets(dev)
        for limit in widget["properties"].get("annotations", {}).get("horizontal", [])
    }
    function = dev.properties("WhatsApp", "AWS::Lambda::Function")
    mapping = dev.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")
    assert {
        "Duration of a call": 1000 * function["Timeout"],
        "Concurrent calls": mapping["ScalingConfig"]["MaximumConcurrency"],
    } == limits
