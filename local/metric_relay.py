"""The missing link of the embedded AWS: from log lines to data points.

These are made of lines that match a metric filter, and of lines in the embedded metric format.
Everything around it is the deployed thing: the filter is read from the log group, the lines are the
function's own, and the alarm that evaluates the data points notifies the deployed topic.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from local.aws import Aws
from local.embedded_metrics import embedded_metrics
from local.errors import LocalCloudError
from local.filter_pattern import FilterPattern
from local.function_logs import LogLine, LogTail

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef
    from mypy_boto3_logs.type_defs import MetricFilterTypeDef, MetricTransformationOutputTypeDef

LARGEST_PUT = 1_000
"""Data that one call takes:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""


class MetricRelay:
    """Turns new log lines into data points, by the log group's metric filters and by themselves.

    Args:
        aws: where the log group, its filters and the metrics are.
        log_group: the log group's name.
    """

    def __init__(self, aws: Aws, log_group: str) -> None:
        self._aws = aws
        self._log_group = log_group
        self._tail = LogTail(aws, log_group)

    def relay_new_lines(self) -> int:
        """Put a data point for each new line and each filter that it matches, or metric it holds.

        Returns:
            How many data points were put.

        Raises:
            UnknownPatternError: a deployed filter's pattern is not understood here.
            LocalCloudError: a deployed filter's value is not a number, or a line promises a metric
                that it does not hold.
        """
        lines = self._tail.new_lines()
        found: dict[str, list[MetricDatumTypeDef]] = defaultdict(list)
        for namespace, datum in self._data(lines):
            found[namespace].append(datum)
        for namespace, data in found.items():
            self._put(namespace, data)
        return sum(map(len, found.values()))

    def _data(self, lines: list[LogLine]) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
        for metric_filter in self._filters(lines):
            yield from _filtered(metric_filter, lines)
        for line in lines:
            for namespace, data in embedded_metrics(line.fields):
                yield from ((namespace, datum) for datum in data)

    def _filters(self, lines: list[LogLine]) -> list["MetricFilterTypeDef"]:
        if not lines:
            return []
        return self._aws.logs.describe_metric_filters(logGroupName=self._log_group)["metricFilters"]

    def _put(self, namespace: str, data: list["MetricDatumTypeDef"]) -> None:
        # As few calls as can be: at each the embedded AWS copies all data points that it holds,
        # and evaluates every alarm.
        for start in range(0, len(data), LARGEST_PUT):
            self._aws.cloudwatch.put_metric_data(
                Namespace=namespace, MetricData=data[start : start + LARGEST_PUT]
            )


class RelayThread:
    """Relays again and again until the end of a `with` block.

    An error ends the relaying and is raised at the end of the block, unless that ends with one of
    its own.

    Args:
        relays: each relays what is new since it was last called.
    """

    _PAUSE_SECONDS = 1.0
    """Each round is a call for each queue and log group: four a second kept a core half busy."""

    def __init__(self, *relays: Callable[[], object]) -> None:
        self._relays = relays
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
        """Wait for the thread to end by itself, which only an error makes it do."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._PAUSE_SECONDS):
                for relay in self._relays:
                    relay()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that owns the relay
            self._error = error


def _filtered(
    metric_filter: "MetricFilterTypeDef", lines: list[LogLine]
) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
    pattern = FilterPattern(metric_filter["filterPattern"])
    for line in lines:
        if pattern.matches(line.text):
            for transformation in metric_filter["metricTransformations"]:
                yield transformation["metricNamespace"], _datum(transformation, line)


def _datum(
    transformation: "MetricTransformationOutputTypeDef", line: LogLine
) -> "MetricDatumTypeDef":
    return {
        "MetricName": transformation["metricName"],
        "Value": _constant(transformation["metricValue"]),
        "Timestamp": datetime.fromtimestamp(line.timestamp / 1000, UTC),
    }


def _constant(value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        message = f"metric filter value not understood by the local cloud: {value}, not a number"
        raise LocalCloudError(message) from error
