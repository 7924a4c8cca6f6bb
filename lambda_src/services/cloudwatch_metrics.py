"""Metrics in CloudWatch: log lines in the embedded metric format, written once for each batch.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING

from lambda_src.core import Dimension, Kind, LogEvent, Metric, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

MAX_VALUES = 100
"""The format's limit for the values of one metric in a line."""

_UNITS = {metric: metric.unit.value for metric in Metric}


class CloudWatchMetrics:
    """Implements the port `Metrics`.

    A batch writes one line, and one more for each step and kind that failed in it.

    Args:
        namespace: The channel's namespace in its environment.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._lock = Lock()
        self._values: defaultdict[Metric, list[float]] = defaultdict(list)

    def record(self, values: Mapping[Metric, float]) -> None:
        """Add one value to each metric's distribution, in the metric's unit."""
        with self._lock:
            for metric, value in values.items():
                self._values[metric].append(value)

    def publish(
        self, counts: Mapping[Metric, int], failures: Mapping[tuple[Step, Kind], int]
    ) -> None:
        """Write a batch's lines; an error is logged, since it must not fail the batch."""
        with self._lock:
            values, self._values = self._values, defaultdict(list)
        try:
            self._write({**{metric: [number] for metric, number in counts.items()}, **values}, {})
            for (step, kind), number in failures.items():
                dimensions = {Dimension.STEP: step, Dimension.KIND: kind}
                self._write({Metric.FAILURES: [number]}, dimensions)
        except Exception as error:  # noqa: BLE001 - messages must not be repeated for their metrics
            log.error(  # noqa: TRY400 - never an exception's text
                "the batch's metrics could not be published",
                extra={"event": LogEvent.METRICS_FAILED, "error_type": type(error).__name__},
            )

    def _write(
        self, values: Mapping[Metric, Sequence[float]], dimensions: Mapping[Dimension, str]
    ) -> None:
        while values:
            directive = {
                "Namespace": self._namespace,
                "Dimensions": [list(dimensions)],
                "Metrics": [{"Name": metric, "Unit": _UNITS[metric]} for metric in values],
            }
            line = {
                "_aws": {
                    "Timestamp": int(time.time() * 1000),
                    "CloudWatchMetrics": [directive],
                },
                **{str(name): value for name, value in dimensions.items()},
                **{str(metric): series[:MAX_VALUES] for metric, series in values.items()},
            }
            print(json.dumps(line, separators=(",", ":")))  # noqa: T201 - Lambda's log
            values = {
                metric: series[MAX_VALUES:]
                for metric, series in values.items()
                if len(series) > MAX_VALUES
            }
