"""Alarms of all environments; the dashboard shows existing metrics, and all of the runtime's."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns

from lambda_src.core.contract import Metric
from stacks.alarms.notifier import MAX_DESCRIPTION, AlarmNotifier, AlarmRule
from tests.infra.synthesis import CHANGED, DELIVERY, Synthesized, synthesize

ALARM, DASHBOARD = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"
NAMESPACE = "AIComms/WhatsAppProcessor/Dev"
AWS_METRICS = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": "QueueName ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesNotVisible"
    " ApproximateNumberOfMessagesVisible",
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": "FunctionName ConcurrentExecutions Duration Errors Invocations Throttles",
}
"""AWS's own metrics that may be shown, after their dimension, by namespace."""
RUNBOOK = "https://example.com/" + 200 * "r"
SEARCH = re.compile(r"SEARCH\('\{(?P<schema>[^}]+)\} MetricName=\"(?P<name>\w+)\"', 'Sum'\)")


@pytest.fixture
def dev() -> Synthesized:
    """Return the sample environment with all graphs and alarms."""
    return synthesize(**DELIVERY)


def dashboard_body(joined: dict[str, Any]) -> Any:
    """Return a dashboard's parsed body; a reference is written as `${LogicalId.Attribute}`."""
    parts = joined["Fn::Join"][1]
    return json.loads(
        "".join(part if isinstance(part, str) else _reference(part) for part in parts)
    )


def _reference(part: dict[str, Any]) -> str:
    (target,) = part.values()
    return "${%s}" % (target if isinstance(target, str) else ".".join(target))


def _widgets(synthesized: Synthesized) -> Any:
    return dashboard_body(synthesized.properties("WhatsApp", DASHBOARD)["DashboardBody"])["widgets"]


def _shown(synthesized: Synthesized) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Yield namespace, name, dimensions and statistic of each metric or search of a widget."""
    for widget in _widgets(synthesized):
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                search = SEARCH.fullmatch(line[0]["expression"])
                assert search
                namespace, *dimensions = search["schema"].split(",")
                yield namespace.strip('"'), search["name"], tuple(dimensions), "Sum"
            else:
                namespace, name, *pairs, rendering = line
                yield namespace, name, tuple(pairs[::2]), rendering.get("stat", "Average")


def test_every_graph_shows_an_existing_metric(dev: Synthesized) -> None:
    """Namespace, name and dimensions are those of the runtime's or of AWS's metrics."""
    for namespace, name, dimensions, _ in _shown(dev):
        if namespace == NAMESPACE:
            assert Metric(name).dimensions == dimensions
        else:
            dimension, *names = AWS_METRICS[namespace].split()
            assert (dimension,) == dimensions
            assert name in names


def test_every_metric_of_the_runtime_is_shown(dev: Synthesized) -> None:
    """Each metric is shown; counts as sums, times as percentiles, and states as their maximum."""
    own = [(name, stat) for namespace, name, _, stat in _shown(dev) if namespace == NAMESPACE]
    assert set(Metric) == {name for name, _ in own}
    for state in (
        *(Metric.OLDEST_DRAFT_SECONDS, Metric.OLDEST_LOOKUP_SECONDS),
        *(Metric.MODELS_RETIRING, Metric.TEMPLATES_NOT_APPROVED),
    ):
        own.remove((state, "Maximum"))
    assert {"Sum"} == {stat for name, stat in own if not name.endswith("Seconds")}
    assert {"p50", "p99"} == {stat for name, stat in own if name.endswith("Seconds")}


def test_every_alarm_is_shown(dev: Synthesized) -> None:
    """The first widget shows the state of every alarm of the stack."""
    resources, first = dev.template("WhatsApp")["Resources"], _widgets(dev)[0]
    alarms = [f"${{{name}.Arn}}" for name, each in resources.items() if each["Type"] == ALARM]
    assert ("alarm", alarms) == (first["type"], first["properties"]["alarms"])


@pytest.mark.parametrize(
    ("keys", "host"),
    [({}, "console.aws.amazon.com"), (CHANGED, "console.amazonaws.cn")],
)
def test_output_has_the_dashboards_address(keys: dict[str, Any], host: str) -> None:
    """The stack's output leads to the dashboard, in the console of its partition."""
    synthesized = synthesize(**keys)
    dashboard = synthesized.properties("WhatsApp", DASHBOARD)["DashboardName"]
    address = json.dumps(synthesized.template("WhatsApp")["Outputs"]["DashboardUrl"]["Value"])
    assert f".{host}/cloudwatch/home" in address
    assert address.endswith(f'#dashboards/dashboard/{dashboard}"]]}}')


def _alarms(synthesized: Synthesized) -> list[dict[str, Any]]:
    return [alarm["Properties"] for alarm in synthesized.resources("WhatsApp", ALARM)]


def test_every_alarm_is_within_cloudwatchs_limits() -> None:
    """Descriptions fit with a long runbook address, and the evaluation covers at most a day."""
    for alarm in _alarms(synthesize("staging", runbook_url=RUNBOOK)):  # the longest name
        queries = [query["MetricStat"] for query in alarm.get("Metrics", [])[1:]] or [alarm]
        assert len(alarm["AlarmDescription"]) <= MAX_DESCRIPTION
        assert all(q["Period"] * alarm["EvaluationPeriods"] <= 86_400 for q in queries)


def test_alarms_link_to_the_environments_runbook() -> None:
    """The runbook address of an environment is in each alarm, with the alarm's section."""
    alarms = _alarms(synthesize("staging", runbook_url=RUNBOOK))
    links = {alarm["AlarmDescription"].split("Runbook: ")[1] for alarm in alarms}
    assert f"{RUNBOOK}#deadletters" in links
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
