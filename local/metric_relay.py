"""The missing link of the embedded AWS: from log lines to data points.

These are made of lines that match a metric filter, and of lines in the embedded metric format.
Everything around it is the deployed thing: the filter is read from the log group, the lines are the
function's own, and the alarm that evaluates the data points notifies the deployed topic.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from local.aws import Aws
from local.embedded_metrics import embedded_metrics
from local.errors import LocalCloudError
from local.filter_pattern import FilterPattern
from local.function_logs import LogLine, LogTail

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import MetricFilterTypeDef, MetricTransformationOutputTypeDef


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
        filtered = sum(self._apply(metric_filter, lines) for metric_filter in self._filters(lines))
        return filtered + sum(map(self._take_out, lines))

    def _filters(self, lines: list[LogLine]) -> list["MetricFilterTypeDef"]:
        if not lines:
            return []
        return self._aws.logs.describe_metric_filters(logGroupName=self._log_group)["metricFilters"]

    def _apply(self, metric_filter: "MetricFilterTypeDef", lines: list[LogLine]) -> int:
        pattern = FilterPattern(metric_filter["filterPattern"])
        matching = [line for line in lines if pattern.matches(line.text)]
        for line in matching:
            for transformation in metric_filter["metricTransformations"]:
                self._put(transformation, line)
        return len(matching) * len(metric_filter["metricTransformations"])

    def _take_out(self, line: LogLine) -> int:
        """Put what a line in the embedded metric format holds."""
        count = 0
        for namespace, data in embedded_metrics(line.fields):
            self._aws.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
            count += len(data)
        return count

    def _put(self, transformation: "MetricTransformationOutputTypeDef", line: LogLine) -> None:
        self._aws.cloudwatch.put_metric_data(
            Namespace=transformation["metricNamespace"],
            MetricData=[
                {
                    "MetricName": transformation["metricName"],
                    "Value": _constant(transformation["metricValue"]),
                    "Timestamp": datetime.fromtimestamp(line.timestamp / 1000, UTC),
                }
            ],
        )


class RelayThread:
    """Relays again and again until the end of a `with` block.

    An error ends the relaying and is raised at the end of the block, unless that ends with one of
    its own.

    Args:
        relays: each relays what is new since it was last called.
    """

    _PAUSE_SECONDS = 0.25

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


def _constant(value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        message = f"metric filter value not understood by the local cloud: {value}, not a number"
        raise LocalCloudError(message) from error
