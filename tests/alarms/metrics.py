"""Metrics as CloudWatch keeps them, and the statistics that alarms ask for."""

import bisect
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Average": statistics.fmean,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}


class NotUnderstoodError(Exception):
    """A template asks for something of CloudWatch that is not modelled here; never guessed at."""


@dataclass(frozen=True)
class Metric:
    """One series: dimensions that differ are different metrics."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def named(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "Metric":
        """Return the metric with these dimensions, name to value."""
        return cls(namespace, name, frozenset(dimensions.items()))


class Metrics:
    """Data points by metric; times are in minutes."""

    def __init__(self) -> None:
        self._points: defaultdict[Metric, list[tuple[float, float]]] = defaultdict(list)

    def put(self, metric: Metric, minute: float, value: float) -> None:
        """Add a data point."""
        bisect.insort(self._points[metric], (minute, value))

    def statistic(self, name: str, metric: Metric, after: float, until: float) -> float | None:
        """Return a statistic over the data points of `after` < time <= `until`, if there are any.

        Raises:
            NotUnderstoodError: No such statistic is modelled.
        """
        if name not in STATISTICS:
            raise NotUnderstoodError(f"statistic {name}")
        points = self._points[metric]
        first, last = (bisect.bisect(points, (end, math.inf)) for end in (after, until))
        values = [value for _, value in points[first:last]]
        return STATISTICS[name](values) if values else None
