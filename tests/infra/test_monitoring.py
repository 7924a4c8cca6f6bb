"""Alarms of all environments; the dashboard shows existing metrics, and all of the runtime's."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns

from lambda_src.core.contract import ENDS, Metric
from stacks.alarms.notifier import MAX_DESCRIPTION, AlarmNotifier, AlarmRule
from tests.infra.synthesis import ENVIRONMENTS, Synthesized, synthesize

DASHBOARD = "AWS::CloudWatch::Dashboard"
NAMESPACE = "AIComms/WhatsAppProcessor/Dev"
AWS_METRICS = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        "QueueName",
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesNotVisible"),
        "ApproximateNumberOfMessagesVisible",
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": (
        "FunctionName",
        *("ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"),
    ),
}
"""AWS's own metrics that may be shown, after their dimension, by namespace."""
SEARCH = re.compile(r"SEARCH\('\{(?P<schema>[^}]+)\} MetricName=\"(?P<name>\w+)\"', 'Sum'\)")


class _Shown(NamedTuple):
    """One line of a widget: a metric, or the metrics that a search finds."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]
    statistic: str


def dashboard_body(joined: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard's parsed body; a reference is written as `${LogicalId.Attribute}`."""
    body: dict[str, Any] = json.loads("".join(map(_as_text, joined["Fn::Join"][1])))
    return body


def _as_text(part: str | dict[str, Any]) -> str:
    if isinstance(part, str):
        return part
    [target] = part.values()
    return "${%s}" % (target if isinstance(target, str) else ".".join(target))


def _widgets(synthesized: Synthesized) -> list[dict[str, Any]]:
    joined = synthesized.properties("WhatsApp", DASHBOARD)["DashboardBody"]
    found: list[dict[str, Any]] = dashboard_body(joined)["widgets"]
    return found


def _shown(synthesized: Synthesized) -> Iterator[_Shown]:
    """Yield every metric that a widget shows."""
    for widget in _widgets(synthesized):
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                search = SEARCH.fullmatch(line[0]["expression"])
                assert search
                namespace, *dimensions = search["schema"].split(",")
                yield _Shown(namespace.strip('"'), search["name"], tuple(dimensions), "Sum")
            else:
                namespace, name, *pairs, rendering = line
                yield _Shown(namespace, name, tuple(pairs[::2]), rendering.get("stat", "Average"))


def test_every_graph_shows_an_existing_metric(dev: Synthesized) -> None:
    """Namespace, name and dimensions are those of the runtime's or of AWS's metrics."""
    for line in _shown(dev):
        if line.namespace == NAMESPACE:
            assert Metric(line.name).dimensions == line.dimensions
        else:
            dimension, *names = AWS_METRICS[line.namespace]
            assert (dimension,) == line.dimensions
            assert line.name in names


def test_every_metric_of_the_runtime_is_shown(dev: Synthesized) -> None:
    """Each metric is shown; counts as sums, times as percentiles."""
    own = [line for line in _shown(dev) if line.namespace == NAMESPACE]
    assert set(Metric) == {line.name for line in own}
    assert {"Sum"} == {line.statistic for line in own if not line.name.endswith("Seconds")}
    assert {"p50", "p99"} == {line.statistic for line in own if line.name.endswith("Seconds")}


def test_outcomes_are_stacked(dev: Synthesized) -> None:
    """One graph stacks all outcomes of a delivery except repeated deliveries."""
    [outcomes] = [w["properties"] for w in _widgets(dev) if w["properties"]["title"] == "Outcomes"]
    assert outcomes["stacked"]
    expected = [end for end in ENDS if end is not Metric.MESSAGES_REPEATED]
    assert expected == [line[1] for line in outcomes["metrics"]]


def test_every_alarm_is_shown(dev: Synthesized) -> None:
    """The first widget shows the state of every alarm of the stack."""
    template = dev.template("WhatsApp")["Resources"]
    alarms = [name for name, item in template.items() if item["Type"] == "AWS::CloudWatch::Alarm"]
    first = _widgets(dev)[0]
    assert "alarm" == first["type"]
    assert [f"${{{name}.Arn}}" for name in alarms] == first["properties"]["alarms"]


def test_widgets_fill_the_grid_without_overlap(dev: Synthesized) -> None:
    """Every cell of the 24 columns is covered once."""
    cells = [
        (x, y)
        for widget in _widgets(dev)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    height = 1 + max(y for _, y in cells)
    assert sorted(cells) == [(x, y) for x in range(24) for y in range(height)]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_output_has_the_dashboards_address(name: str) -> None:
    """The stack's output leads to the dashboard."""
    synthesized = synthesize(name)
    dashboard = synthesized.properties("WhatsApp", DASHBOARD)["DashboardName"]
    address = synthesized.template("WhatsApp")["Outputs"]["DashboardUrl"]["Value"]
    assert f"ai-multi-comms-whatsapp-dashboard-{name}" == dashboard
    assert json.dumps(address).endswith(f'#dashboards/dashboard/{dashboard}"]]}}')


def _alarms(synthesized: Synthesized) -> list[dict[str, Any]]:
    alarms = synthesized.resolved("AWS::CloudWatch::Alarm")
    return [alarm.properties for alarm in alarms if alarm.stack == "WhatsApp"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_notifies_the_topic(name: str) -> None:
    """Each alarm notifies the shared topic, by the name of the shared stack's output."""
    synthesized = synthesize(name)
    (topic,) = synthesized.resolved("AWS::SNS::Topic")
    for alarm in _alarms(synthesized):
        assert {topic.arn} == {*alarm["AlarmActions"], *alarm.get("OKActions", [])}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_is_within_cloudwatchs_limits(name: str) -> None:
    """Descriptions fit with a long runbook address, and the evaluation covers at most a day."""
    synthesized = synthesize(name, runbook_url="https://example.com/" + 200 * "r")
    for alarm in _alarms(synthesized):
        queries = [query["MetricStat"] for query in alarm.get("Metrics", [])[1:]] or [alarm]
        assert len(alarm["AlarmDescription"]) <= MAX_DESCRIPTION
        assert all(q["Period"] * alarm["EvaluationPeriods"] <= 86_400 for q in queries)


def test_alarms_link_to_the_environments_runbook() -> None:
    """The runbook address of an environment is in each alarm, with the alarm's section."""
    alarms = _alarms(synthesize(runbook_url="https://example.com/runbook"))
    links = {alarm["AlarmDescription"].split("Runbook: ")[1] for alarm in alarms}
    assert "https://example.com/runbook#deadletters" in links
    assert len(alarms) == len(links)


def test_long_description_is_rejected() -> None:
    """A description beyond CloudWatch's limit stops synth and names the alarm and both lengths."""
    stack = Stack(App(), "Stack")
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:t")
    notifier = AlarmNotifier(topic=topic, runbook="docs/runbook.md")
    rule = AlarmRule(subject="Sample", description=1_000 * "x")
    metric = cloudwatch.Metric(namespace="Sample", metric_name="Sample")
    with pytest.raises(ValueError, match=r"alarm Sample: its description has 1,[0-9]{3} char"):
        notifier.add_alarm(stack, "Sample", alarm_name="Sample", rule=rule, metric=metric)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "console.amazonaws-eusc.eu"),
    ],
)
def test_the_dashboards_link_leads_to_the_partitions_console(region: str, host: str) -> None:
    """Each partition of AWS has its own console."""
    outputs = synthesize(region=region).template("WhatsApp")["Outputs"]
    assert f".{host}/cloudwatch/home" in json.dumps(outputs["DashboardUrl"])
