"""The metrics in CloudWatch: lines in its embedded metric format, one batch at a time."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from threading import Lock
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics

from lambda_src.core.contract import LogEvent
from lambda_src.core.metric_names import Dimension, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambda_src.core.errors import Step

log = logging.getLogger(__name__)


class CloudWatchMetrics:
    """Implements the port `Metrics`: collects, and prints what CloudWatch Logs makes metrics of.

    A batch costs one line, and one more for each step and kind that failed in it.

    Args:
        namespace: The metrics' namespace: the channel's, in its environment.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._lock = Lock()
        self._forget()

    def count(self, metric: Metric, number: int = 1) -> None:
        """Add to a number."""
        with self._lock:
            self._counts[metric] += number

    def count_failure(self, step: Step, kind: Kind) -> None:
        """Add a failure to those of its step and kind."""
        with self._lock:
            self._failures[step, kind] += 1

    def measure(self, metric: Metric, value: float) -> None:
        """Add one value to a distribution."""
        with self._lock:
            self._values[metric].append(value)

    def publish(self) -> None:
        """Print what was collected since the last time; whatever goes wrong, no batch fails."""
        with self._lock:
            collected = self._counts, self._values, self._failures
            self._forget()
        try:
            self._print(*collected)
        except Exception as error:  # noqa: BLE001 - messages must not come again for their numbers
            log.error(  # noqa: TRY400 - never an exception's text
                "the batch's metrics could not be published",
                extra={"event": LogEvent.METRICS_FAILED, "error_type": type(error).__name__},
            )

    def _forget(self) -> None:
        self._counts: Counter[Metric] = Counter()
        self._values: defaultdict[Metric, list[float]] = defaultdict(list)
        self._failures: Counter[tuple[Step, Kind]] = Counter()

    def _print(
        self,
        counts: Counter[Metric],
        values: dict[Metric, list[float]],
        failures: Counter[tuple[Step, Kind]],
    ) -> None:
        summed = {metric: [number] for metric, number in counts.items()}
        self._print_line({**summed, **values}, {})
        for (step, kind), number in failures.items():
            self._print_line(
                {Metric.FAILURES: [number]}, {Dimension.STEP: step, Dimension.KIND: kind}
            )

    def _print_line(
        self, values: Mapping[Metric, Sequence[float]], dimensions: Mapping[Dimension, str]
    ) -> None:
        # Powertools' usual `Metrics` is one for all threads; and its default dimension, the
        # service, would say once more what the namespace says.
        line = EphemeralMetrics(namespace=self._namespace, service="")
        for dimension, name in dimensions.items():
            line.add_dimension(dimension, name)
        for metric, series in values.items():
            for value in series:
                line.add_metric(metric, metric.unit.value, value)
        if line.metric_set:  # the line prints itself whenever a metric has its 100 values
            line.flush_metrics()
