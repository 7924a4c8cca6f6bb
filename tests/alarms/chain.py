"""The whole chain: what happens, minute by minute, and what reaches whom because of it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from local.filter_pattern import FilterPattern
from tests.alarms.delivery import Address, Delivery
from tests.alarms.deployment import Deployment, Resource
from tests.alarms.evaluation import State, state_of
from tests.alarms.metrics import Metric, Metrics


@dataclass(frozen=True)
class Logged:
    """A line that the channel's function wrote."""

    minute: float
    line: str


@dataclass(frozen=True)
class Measured:
    """A data point of AWS's own."""

    minute: float
    metric: Metric
    value: float


Happening = Logged | Measured


@dataclass(frozen=True)
class Notification:
    """What a person reads, and where."""

    address: Address
    alarm: str
    state: State
    text: str


@dataclass(frozen=True)
class Course:
    """What became of one alarm: the states it went through, and the notifications it sent."""

    states: tuple[State, ...]
    notifications: tuple[Notification, ...]


class AlarmChain:
    """Function, log group, filters, metrics, alarms, topic and subscribers of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._filters = deployment.resources("AWS::Logs::MetricFilter")
        self._alarms = {
            alarm.properties["AlarmName"]: alarm
            for alarm in deployment.resources("AWS::CloudWatch::Alarm")
        }
        (function,) = deployment.resources("AWS::Lambda::Function")
        self._log_group = function.properties["LoggingConfig"]["LogGroup"]
        self._delivery = Delivery(deployment)

    def run(self, alarm_name: str, happenings: Sequence[Happening], minutes: int) -> Course:
        """Let things happen, evaluate an alarm every minute, and deliver what it sends.

        Args:
            alarm_name: The alarm to look at.
            happenings: What happens, by the minute.
            minutes: How long to watch.

        Returns:
            What became of the alarm; nothing, if there is none of that name.
        """
        if alarm_name not in self._alarms:
            return Course((), ())
        alarm, metrics = self._alarms[alarm_name], self._measured(happenings)
        states = list(_states(alarm.properties, metrics, minutes))
        notifications = [n for state in states for n in self._sent(alarm, state)]
        return Course(tuple(states), tuple(notifications))

    def _measured(self, happenings: Sequence[Happening]) -> Metrics:
        metrics = Metrics()
        for happening in happenings:
            if isinstance(happening, Measured):
                metrics.put(happening.metric, happening.minute, happening.value)
        lines = [happening for happening in happenings if isinstance(happening, Logged)]
        for metric_filter in self._filters:
            if metric_filter.properties["LogGroupName"] == self._log_group:
                _count(metric_filter.properties, lines, metrics)
        return metrics

    def _sent(self, alarm: Resource, state: State) -> Iterator[Notification]:
        properties = alarm.properties
        lists = {State.ALARM: "AlarmActions", State.OK: "OKActions"}
        if not properties.get("ActionsEnabled", True) or state not in lists:
            return
        for action in properties.get(lists[state], []):
            for address in self._delivery.reached_by(alarm.arn, action):
                text = properties.get("AlarmDescription", "")
                yield Notification(address, properties["AlarmName"], state, text)


def _states(alarm: Mapping[str, Any], metrics: Metrics, minutes: int) -> Iterator[State]:
    state = State.INSUFFICIENT_DATA
    for minute in range(minutes + 1):
        before, state = state, state_of(alarm, metrics, minute, state)
        if state is not before:
            yield state


def _count(metric_filter: Mapping[str, Any], lines: Sequence[Logged], metrics: Metrics) -> None:
    """Put a filter's data points; a default value counts once a minute in which no line matched."""
    pattern = metric_filter["FilterPattern"]
    by_minute: dict[int, list[Logged]] = defaultdict(list)
    for line in lines:
        by_minute[int(line.minute)].append(line)
    for transformation in metric_filter["MetricTransformations"]:
        for together in by_minute.values():
            matching = [line for line in together if _matches(pattern, line.line)]
            for line in matching:
                metric = _metric(transformation, line.line)
                metrics.put(metric, line.minute, float(transformation["MetricValue"]))
            if not matching and "DefaultValue" in transformation:
                metric = _metric(transformation, "{}")
                metrics.put(metric, together[0].minute, float(transformation["DefaultValue"]))


def _metric(transformation: Mapping[str, Any], line: str) -> Metric:
    dimensions = {
        dimension["Key"]: str(json.loads(line).get(dimension["Value"].removeprefix("$.")))
        for dimension in transformation.get("Dimensions", [])
    }
    return Metric.named(transformation["MetricNamespace"], transformation["MetricName"], dimensions)


@cache
def _matches(pattern: str, line: str) -> bool:
    return _compiled(pattern).matches(line)


@cache
def _compiled(pattern: str) -> FilterPattern:
    return FilterPattern(pattern)
