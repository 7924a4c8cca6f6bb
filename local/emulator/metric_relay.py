"""Metrics from log lines, which CloudWatch Logs publishes and the embedded AWS does not.

A data point is published for each line that matches a metric filter, and for each metric of a line
in the embedded metric format. Everything else is deployed: the filters are those of the log group,
the lines are the function's, and the alarms over the metrics notify the deployed topic.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from local.aws import Aws
from local.emulator.feed import Feed
from local.emulator.filter_patterns import FilterPattern
from local.emulator.function_logs import LogLine, LogReader
from local.errors import LocalCloudError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef
    from mypy_boto3_logs.type_defs import MetricFilterTypeDef, MetricTransformationOutputTypeDef

MAX_DATA = 1_000
"""Data points in one request:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""


class MetricRelay:
    """Publishes the metrics of new log lines.

    Args:
        aws: where the log group, its filters and the metrics are.
        log_group: the log group's name.
        feed: what has changed in this AWS.
    """

    def __init__(self, aws: Aws, log_group: str, feed: Feed) -> None:
        self._aws = aws
        self._log_group = log_group
        self._feed = feed
        self._reader = LogReader(aws, log_group)

    def update(self) -> int:
        """Publish the metrics of the lines since the last call.

        Returns:
            The number of data points.

        Raises:
            UnsupportedPatternError: a deployed filter's pattern is not supported here.
            LocalCloudError: a deployed filter's value is not a number, or a line lacks a metric
                that it declares.
        """
        if self._feed.changes().log_end(self._log_group) <= self._reader.position:
            return 0
        lines = self._reader.new_lines()
        by_namespace: dict[str, list[MetricDatumTypeDef]] = defaultdict(list)
        for namespace, datum in self._data(lines):
            by_namespace[namespace].append(datum)
        for namespace, data in by_namespace.items():
            # As few requests as possible: for each, the embedded AWS evaluates all alarms.
            for start in range(0, len(data), MAX_DATA):
                self._aws.cloudwatch.put_metric_data(
                    Namespace=namespace, MetricData=data[start : start + MAX_DATA]
                )
        return sum(map(len, by_namespace.values()))

    def _data(self, lines: list[LogLine]) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
        for metric_filter in self._filters() if lines else ():
            yield from _filtered_data(metric_filter, lines)
        for line in lines:
            yield from embedded_metrics(line.fields)

    def _filters(self) -> list["MetricFilterTypeDef"]:
        return self._aws.logs.describe_metric_filters(logGroupName=self._log_group)["metricFilters"]


class RelayThread:
    """Runs updates repeatedly until the end of a `with` block.

    An error ends the thread and is raised at the end of the block, unless that raises one itself.

    Args:
        updates: each publishes what is new since its last call.
    """

    _INTERVAL_SECONDS = 1.0

    def __init__(self, *updates: Callable[[], object]) -> None:
        self._updates = updates
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="metric-relay")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        if self._error and not error:
            raise self._error

    def join(self, seconds: float) -> None:
        """Wait for the thread to end with an error."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._INTERVAL_SECONDS):
                for update in self._updates:
                    update()
        except Exception as error:  # noqa: BLE001 - raised again by `__exit__`
            self._error = error


def _filtered_data(
    metric_filter: "MetricFilterTypeDef", lines: list[LogLine]
) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
    pattern = FilterPattern(metric_filter["filterPattern"])
    for line in lines:
        if pattern.matches(line.text):
            for transformation in metric_filter["metricTransformations"]:
                yield (
                    transformation["metricNamespace"],
                    {
                        "MetricName": transformation["metricName"],
                        "Value": _value(transformation),
                        "Timestamp": datetime.fromtimestamp(line.timestamp / 1000, UTC),
                    },
                )


def _value(transformation: "MetricTransformationOutputTypeDef") -> float:
    value = transformation["metricValue"]
    try:
        return float(value)
    except ValueError as error:
        message = f"metric filter value not supported by the local cloud: {value}, not a number"
        raise LocalCloudError(message) from error


def embedded_metrics(fields: dict[str, Any]) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
    """Yield the metrics of a log line in the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    Args:
        fields: the line's JSON object, which may contain no metrics.

    Yields:
        A namespace and a data point.

    Raises:
        LocalCloudError: the line lacks a metric or a dimension that it declares.
    """
    if "_aws" not in fields:
        return
    try:
        timestamp = datetime.fromtimestamp(fields["_aws"]["Timestamp"] / 1000, UTC)
        for directive in fields["_aws"]["CloudWatchMetrics"]:
            for datum in _embedded_data(directive, fields, timestamp):
                yield directive["Namespace"], datum
    except (KeyError, TypeError) as error:
        message = f"a line in the embedded metric format lacks a declared field: {error}"
        raise LocalCloudError(message) from error


def _embedded_data(
    directive: dict[str, Any], fields: dict[str, Any], timestamp: datetime
) -> Iterator["MetricDatumTypeDef"]:
    for dimensions in directive["Dimensions"]:
        for metric in directive["Metrics"]:
            value = fields[metric["Name"]]
            yield {
                "MetricName": metric["Name"],
                "Unit": metric.get("Unit", "None"),
                "Dimensions": [{"Name": name, "Value": fields[name]} for name in dimensions],
                "Timestamp": timestamp,
                "Values": [float(each) for each in (value if isinstance(value, list) else [value])],
            }
