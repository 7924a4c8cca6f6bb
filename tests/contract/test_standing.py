"""What the planner says stands in a channel, against the template and the runtime's metrics."""

from typing import Any

from lambda_src.core.metric_names import Metric
from planner.standing import CHANNEL, Standing
from tests.infra.synthesis import Synthesized


def _metrics_of(alarm: dict[str, Any]) -> int:
    """How many metrics an alarm looks at; expressions are none."""
    parts = alarm["Properties"].get("Metrics", [{"MetricStat": {}}])
    return sum("MetricStat" in part for part in parts)


def test_a_channel_has_what_it_is_reckoned_to_cost_for(dev: Synthesized) -> None:
    """Secrets, metrics, alarms' metrics and dashboards are as many as the planner has them."""
    filters = dev.resources("WhatsApp", "AWS::Logs::MetricFilter")
    alarms = dev.resources("WhatsApp", "AWS::CloudWatch::Alarm")
    without_failures = [metric for metric in Metric if not metric.dimensions]

    found = Standing(
        secrets=len(dev.resources("WhatsApp", "AWS::SecretsManager::Secret")),
        metrics=len(without_failures) + len(filters),
        alarm_metrics=sum(map(_metrics_of, alarms)),
        dashboards=len(dev.resources("WhatsApp", "AWS::CloudWatch::Dashboard")),
    )

    assert CHANNEL == found
