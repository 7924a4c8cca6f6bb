"""A log group of a test's own, with lines that its metric filter matches, and what it measures."""

import json
import time
import uuid

from local.aws import Aws
from tests.local.metric_sum import metric_sum

PATTERN = '{ ($.level = "CRITICAL") && ($.event = "lost") }'
MATCHING = json.dumps({"level": "CRITICAL", "event": "lost"})
OTHER = json.dumps({"level": "INFO", "event": "lost"})


class Logged:
    """A log group with one stream and one metric filter, and the metric behind it."""

    def __init__(self, aws: Aws, *, pattern: str = PATTERN, value: str = "1") -> None:
        self.aws = aws
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

    def write(self, *lines: str) -> None:
        """Log lines, all at the same millisecond."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        self.aws.logs.put_log_events(
            logGroupName=self.name,
            logStreamName="one",
            logEvents=events,  # type: ignore[arg-type]  # built as the call takes them
        )

    def total(self, metric: str = "Lost", **dimensions: str) -> float:
        """Sum of a metric's data points."""
        return metric_sum(self.aws, self.name, metric, **dimensions)


def embedded(logged: Logged, values: dict[str, object], *dimensions: str) -> str:
    """A line in the embedded metric format: its metrics are what is no dimension."""
    metrics = [{"Name": name, "Unit": "Count"} for name in values if name not in dimensions]
    directive = {"Namespace": logged.name, "Dimensions": [[*dimensions]], "Metrics": metrics}
    envelope = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": envelope, **values})
