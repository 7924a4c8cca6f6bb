"""A log group with a metric filter."""

import json
import time
import uuid

from local.aws import Aws
from tests.support.metrics import metric_sum

PATTERN = '{ ($.level = "CRITICAL") && ($.event = "lost") }'
MATCHING = json.dumps({"level": "CRITICAL", "event": "lost"})
OTHER = json.dumps({"level": "INFO", "event": "lost"})
MAX_EVENTS = 5_000  # in a request


class LogGroup:
    """A log group with one stream, one metric filter, and the filter's metric `Lost`.

    Attributes:
        name: of the log group, and of the metric's namespace.
    """

    def __init__(self, aws: Aws, *, pattern: str = PATTERN, value: str = "1") -> None:
        self._aws = aws
        self.name = uuid.uuid4().hex
        aws.logs.create_log_group(logGroupName=self.name)
        aws.logs.create_log_stream(logGroupName=self.name, logStreamName="one")
        aws.logs.put_metric_filter(
            logGroupName=self.name,
            filterName="lost",
            filterPattern=pattern,
            metricTransformations=[
                {"metricName": "Lost", "metricNamespace": self.name, "metricValue": value}
            ],
        )

    def write(self, *lines: str, first_at: int = 0, interval: int = 0) -> None:
        """Log lines; times in milliseconds, the first now by default."""
        first = first_at or int(time.time() * 1000)
        events = [
            {"timestamp": first + interval * number, "message": line}
            for number, line in enumerate(lines)
        ]
        for start in range(0, len(events), MAX_EVENTS):
            self._aws.logs.put_log_events(
                logGroupName=self.name,
                logStreamName="one",
                logEvents=events[start : start + MAX_EVENTS],  # type: ignore[arg-type]  # as needed
            )

    def create_alarm(self, topic_arn: str) -> None:
        """Create an alarm of the same name on the metric, which notifies a topic."""
        self._aws.cloudwatch.put_metric_alarm(
            AlarmName=self.name,
            Namespace=self.name,
            MetricName="Lost",
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            AlarmActions=[topic_arn],
        )

    def sum(self, metric: str = "Lost", **dimensions: str) -> float:
        """Return the sum of a metric's data points."""
        return metric_sum(self._aws, self.name, metric, **dimensions)

    def embedded(self, values: dict[str, object], *dimensions: str) -> str:
        """Return a line in the embedded metric format; values other than dimensions are metrics."""
        metrics = [{"Name": name, "Unit": "Count"} for name in values if name not in dimensions]
        directive = {"Namespace": self.name, "Dimensions": [[*dimensions]], "Metrics": metrics}
        envelope = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        return json.dumps({"_aws": envelope, **values})
