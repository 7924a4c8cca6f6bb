"""From a critical log line to the topic, as the templates wire it."""

from typing import Any

import pytest

from stacks.critical_events import CRITICAL_EVENTS, CriticalEvent
from tests.infra.synthesis import Synthesized

pytestmark = pytest.mark.parametrize(
    "critical", CRITICAL_EVENTS, ids=lambda critical: critical.event
)


def _resource(dev: Synthesized, kind: str, critical: CriticalEvent) -> dict[str, Any]:
    name = f"{critical.subject}Count"
    (found,) = [
        resource["Properties"]
        for resource in dev.resources("WhatsApp", kind)
        if name in str(resource)
    ]
    return dict(found)


def test_filter_sees_the_line(dev: Synthesized, critical: CriticalEvent) -> None:
    """The filter reads the function's log and counts lines of the event at level CRITICAL."""
    metric_filter = _resource(dev, "AWS::Logs::MetricFilter", critical)

    pattern = f'{{ ($.level = "CRITICAL") && ($.event = "{critical.event}") }}'
    assert pattern == metric_filter["FilterPattern"]
    assert "ProcessorLogGroup" in metric_filter["LogGroupName"]["Ref"]
    assert "1" == metric_filter["MetricTransformations"][0]["MetricValue"]


def test_alarm_watches_the_metric(dev: Synthesized, critical: CriticalEvent) -> None:
    """The alarm is on the metric that the filter fills, and one line in 5 minutes is enough."""
    metric_filter = _resource(dev, "AWS::Logs::MetricFilter", critical)
    alarm = _resource(dev, "AWS::CloudWatch::Alarm", critical)

    filled = metric_filter["MetricTransformations"][0]
    assert filled["MetricName"] == alarm["MetricName"]
    assert filled["MetricNamespace"] == alarm["Namespace"]
    assert ("Sum", 300, 1, 1) == (
        alarm["Statistic"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
        alarm["Threshold"],
    )
    assert "GreaterThanOrEqualToThreshold" == alarm["ComparisonOperator"]
    assert "notBreaching" == alarm["TreatMissingData"]


def test_alarm_reaches_the_topic(dev: Synthesized, critical: CriticalEvent) -> None:
    """The alarm acts on the shared topic, by the name that the shared stack gives out."""
    alarm = _resource(dev, "AWS::CloudWatch::Alarm", critical)
    (action,) = alarm["AlarmActions"]

    output = action["Fn::GetStackOutput"]["OutputName"]
    topic = dev.template("Shared")["Outputs"][output]["Value"]["Ref"]
    assert "AWS::SNS::Topic" == dev.template("Shared")["Resources"][topic]["Type"]


def test_alarm_tells_what_to_do(dev: Synthesized, critical: CriticalEvent) -> None:
    """The alarm's text names the log line to look for, within what CloudWatch takes."""
    description = _resource(dev, "AWS::CloudWatch::Alarm", critical)["AlarmDescription"]

    assert f"`{critical.event}`" in description
    assert len(description) <= 1_024
