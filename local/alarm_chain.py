"""The deployed links between a log line and the people it should reach."""

from dataclasses import dataclass

from local.aws import Aws
from local.filter_pattern import FilterPattern


@dataclass(frozen=True)
class AlarmChain:
    """One way from a log line to an alarm.

    Attributes:
        metric_filter: name of the filter that the line matches.
        pattern: the filter's pattern.
        namespace: of the filter's metric.
        metric: the metric's name.
        alarm: name of the alarm over it.
        state: the alarm's state now.
    """

    metric_filter: str
    pattern: str
    namespace: str
    metric: str
    alarm: str
    state: str

    @property
    def full_metric(self) -> str:
        """Namespace and name of the metric, joined by a slash."""
        return f"{self.namespace}/{self.metric}"


def chains_of(aws: Aws, log_group: str, line: str) -> list[AlarmChain]:
    """The chains that a line of a log group sets off.

    Args:
        aws: where everything is deployed.
        log_group: the line's log group.
        line: its text.
    """
    filters = aws.logs.describe_metric_filters(logGroupName=log_group)["metricFilters"]
    return [
        AlarmChain(
            metric_filter["filterName"],
            metric_filter["filterPattern"],
            transformation["metricNamespace"],
            transformation["metricName"],
            alarm["AlarmName"],
            alarm["StateValue"],
        )
        for metric_filter in filters
        if FilterPattern(metric_filter["filterPattern"]).matches(line)
        for transformation in metric_filter["metricTransformations"]
        for alarm in aws.cloudwatch.describe_alarms_for_metric(
            Namespace=transformation["metricNamespace"], MetricName=transformation["metricName"]
        )["MetricAlarms"]
    ]
