"""The metrics in memory: what was counted and measured, and what was published of it."""

from collections import Counter, defaultdict
from threading import Lock
from typing import TYPE_CHECKING

from lambda_src.core.metric_names import ENDS, Metric

if TYPE_CHECKING:
    from lambda_src.core.errors import Step
    from lambda_src.core.metric_names import Kind


class FakeMetrics:
    """Implements the port `Metrics`; `published` counts the calls to give something out."""

    def __init__(self) -> None:
        self.counts: Counter[Metric] = Counter()
        self.failures: Counter[tuple[Step, Kind]] = Counter()
        self.values: defaultdict[Metric, list[float]] = defaultdict(list)
        self.published = 0
        self._lock = Lock()

    def count(self, metric: Metric, number: int = 1) -> None:
        """Add to a number."""
        with self._lock:
            self.counts[metric] += number

    def count_failure(self, step: "Step", kind: "Kind") -> None:
        """Add a failure to those of its step and kind."""
        with self._lock:
            self.failures[step, kind] += 1

    def measure(self, metric: Metric, value: float) -> None:
        """Add one value to a distribution."""
        with self._lock:
            self.values[metric].append(value)

    def publish(self) -> None:
        """Give out; here everything stays to be looked at."""
        self.published += 1

    @property
    def ends(self) -> dict[Metric, int]:
        """How the deliveries ended, without the ends that none had."""
        return {end: self.counts[end] for end in ENDS if self.counts[end]}
