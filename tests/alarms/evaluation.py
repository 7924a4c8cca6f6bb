"""Which state an alarm is in, by the documented rules.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.alarms.metric_math import Series, evaluate
from tests.alarms.metrics import Metric, Metrics, NotUnderstoodError

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
MORE_THAN_NEEDED = 2
"""CloudWatch looks further back than the evaluation periods where data points are missing. How far
is not documented; this is the distance of the documentation's examples."""

KNOWN = {
    *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator"),
    *("DatapointsToAlarm", "Dimensions", "EvaluationPeriods", "MetricName", "Metrics", "Namespace"),
    *("OKActions", "Period", "Statistic", "Tags", "Threshold", "TreatMissingData"),
}


class State(StrEnum):
    """An alarm's states."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


def state_of(alarm: Mapping[str, Any], metrics: Metrics, now: float, before: State) -> State:
    """Return an alarm's state at a moment.

    Args:
        alarm: Its resolved properties.
        metrics: What it looks at.
        now: The moment, in minutes; the evaluation's window slides along.
        before: Its state until then.

    Raises:
        NotUnderstoodError: The alarm has a property, or asks for a statistic or an expression, that
            is not modelled.
    """
    if unknown := alarm.keys() - KNOWN:
        raise NotUnderstoodError(f"alarm properties {sorted(unknown)}")
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    points = [
        None if value is None else breaches(value, alarm["Threshold"])
        for value in _series(alarm, metrics, now)
    ]
    periods = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm", periods)
    return decide(points, periods, needed, alarm.get("TreatMissingData", "missing"), before)


def decide(
    points: Sequence[bool | None], periods: int, needed: int, missing: str, before: State
) -> State:
    """Return the state that data points mean.

    Args:
        points: Whether each breaches, oldest first; None where it is missing.
        periods: How many count.
        needed: How many of them have to breach.
        missing: How missing ones are treated.
        before: The state until then.
    """
    existing = [point for point in points if point is not None]
    lacking = periods - len(existing)
    if lacking > 0 and missing in {"missing", "ignore"}:
        return _decide_by_the_existing(points, existing, needed, missing, before)
    filled = [missing == "breaching"] * lacking + existing
    return State.ALARM if sum(filled[-periods:]) >= needed else State.OK


def _decide_by_the_existing(
    points: Sequence[bool | None],
    existing: Sequence[bool],
    needed: int,
    missing: str,
    before: State,
) -> State:
    if sum(existing) >= needed:
        return State.ALARM
    if not all(existing):
        return State.OK
    if missing == "ignore":
        return before
    # Documented by example: a breach as the oldest data point, and nothing since, is an alarm.
    return State.ALARM if existing and points[0] else State.INSUFFICIENT_DATA


@dataclass(frozen=True)
class _Look:
    """One look at the metrics: `length` periods back from `now`, oldest first."""

    metrics: Metrics
    now: float
    length: int

    def at(self, metric: Mapping[str, Any], statistic: str, period: int) -> Series:
        """Return a metric's values; `period` is in seconds."""
        dimensions = {part["Name"]: part["Value"] for part in metric.get("Dimensions", [])}
        named = Metric.named(metric["Namespace"], metric["MetricName"], dimensions)
        minutes = period / 60
        ends = [self.now - minutes * index for index in reversed(range(self.length))]
        return [self.metrics.statistic(statistic, named, end - minutes, end) for end in ends]


def _series(alarm: Mapping[str, Any], metrics: Metrics, now: float) -> Series:
    look = _Look(metrics, now, alarm["EvaluationPeriods"] + MORE_THAN_NEEDED)
    if "Metrics" not in alarm:
        return look.at(alarm, alarm["Statistic"], alarm["Period"])
    series = {
        query["Id"]: look.at(stat["Metric"], stat["Stat"], stat["Period"])
        for query in alarm["Metrics"]
        if (stat := query.get("MetricStat"))
    }
    (returned,) = [query for query in alarm["Metrics"] if query.get("ReturnData", True)]
    if "Expression" in returned:
        return evaluate(returned["Expression"], series)
    return series[returned["Id"]]
