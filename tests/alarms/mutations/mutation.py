"""One thing that could be wrong with an alarm's chain, and what it is done to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.alarms.cases import Case
from tests.alarms.deployment import Deployment


@dataclass(frozen=True)
class Patient:
    """A deployment to be spoilt, and the lines that reach it.

    Attributes:
        case: The alarm whose chain it is about.
        deployment: Its templates may be changed.
        lines: The runtime's log by story; may be changed, too.
    """

    case: Case
    deployment: Deployment
    lines: dict[str, tuple[str, ...]]

    @property
    def alarm(self) -> dict[str, Any]:
        """The alarm's properties."""
        (alarm,) = [
            alarm
            for alarm in self.properties("WhatsApp", "AWS::CloudWatch::Alarm")
            if alarm["AlarmName"] == self.case.alarm
        ]
        return alarm

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What names a metric: the alarm itself, or each of the metrics of its expression."""
        if "Metrics" not in self.alarm:
            return [self.alarm]
        return [stat["Metric"] for stat in self.stats]

    @property
    def stats(self) -> list[dict[str, Any]]:
        """The metrics of an expression, each with its statistic and period."""
        return [query["MetricStat"] for query in self.alarm["Metrics"] if "MetricStat" in query]

    @property
    def query(self) -> dict[str, Any]:
        """The query that holds the alarm's expression."""
        (query,) = [query for query in self.alarm["Metrics"] if "Expression" in query]
        found: dict[str, Any] = query
        return found

    @property
    def metric_filter(self) -> dict[str, Any]:
        """The properties of the filter that counts the alarm's lines."""
        (metric_filter,) = [
            metric_filter
            for metric_filter in self.properties("WhatsApp", "AWS::Logs::MetricFilter")
            if metric_filter["MetricTransformations"][0]["MetricName"] in self.case.statistics
        ]
        return metric_filter

    def properties(self, stack: str, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the properties of all resources of a type."""
        for resource in self.deployment.templates[stack]["Resources"].values():
            if resource["Type"] == kind:
                yield resource["Properties"]

    def only(self, stack: str, kind: str) -> dict[str, Any]:
        """Return the properties of the only resource of a type."""
        (properties,) = self.properties(stack, kind)
        return properties

    def remove(self, properties: dict[str, Any]) -> None:
        """Take the resource with these very properties out of its template."""
        for template in self.deployment.templates.values():
            resources = template["Resources"]
            for name in [n for n, r in resources.items() if r.get("Properties") is properties]:
                del resources[name]

    def rewrite_lines(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Let the runtime log something else: each line after a change of its fields."""
        for story, logged in self.lines.items():
            changed = [json.loads(line) for line in logged]
            for fields in changed:
                change(fields)
            self.lines[story] = tuple(map(json.dumps, changed))


@dataclass(frozen=True)
class Mutation:
    """One thing that could be wrong.

    Attributes:
        name: What is wrong, in words.
        spoil: Does it to a patient.
        concerns: Whether it can be wrong with an alarm at all.
    """

    name: str
    spoil: Callable[[Patient], object]
    concerns: Callable[[Case], object] = lambda case: case
