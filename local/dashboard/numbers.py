"""The numbers that a dashboard shows, asked of the embedded CloudWatch by its definition."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.aws import Aws
from local.dashboard.definition import Line
from local.metric_math import UNEVALUATED

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricAlarmTypeDef


@dataclass(frozen=True)
class Series:
    """One metric's values: seconds since the beginning of the time looked at, to value."""

    label: str
    color: str | None
    points: dict[float, float]


@dataclass(frozen=True)
class Numbers:
    """What CloudWatch knows of a stretch of time.

    Attributes:
        aws: whose CloudWatch is asked.
        start: the stretch's beginning, in seconds since the epoch.
        end: its end.
        period: seconds that one data point stands for.
    """

    aws: Aws
    start: float
    end: float
    period: int

    def series(self, line: Line) -> list[Series]:
        """The values of a line, or of each line that a search finds."""
        return [
            Series(
                line.label or " ".join(each["Value"] for each in dimensions),
                line.color,
                self._points(line, dimensions),
            )
            for dimensions in self._matching(line)
        ]

    def total(self, line: Line) -> float:
        """The sum of a line's values over the whole stretch."""
        return sum(sum(series.points.values()) for series in self.series(line))

    def states(self, alarms: tuple[str, ...]) -> dict[str, str]:
        """The alarms' states at this moment, by name.

        The embedded AWS looks at an alarm when there is data for it; without, CloudWatch follows
        the alarm's rule for missing data.
        """
        found = self.aws.cloudwatch.describe_alarms(AlarmNames=alarms)["MetricAlarms"]
        return {alarm["AlarmName"]: _state(alarm) for alarm in found}

    def _matching(self, line: Line) -> Iterator[list["DimensionTypeDef"]]:
        known = {name: value for name, value in line.dimensions.items() if value is not None}
        if len(known) == len(line.dimensions):
            yield [{"Name": name, "Value": value} for name, value in known.items()]
            return
        pages = self.aws.cloudwatch.get_paginator("list_metrics").paginate(
            Namespace=line.namespace, MetricName=line.name
        )
        for metric in (metric for page in pages for metric in page["Metrics"]):
            found = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            if found.keys() == line.dimensions.keys() and known.items() <= found.items():
                yield [{"Name": name, "Value": found[name]} for name in line.dimensions]

    def _points(self, line: Line, dimensions: list["DimensionTypeDef"]) -> dict[float, float]:
        (result,) = self.aws.cloudwatch.get_metric_data(
            MetricDataQueries=[
                {
                    "Id": "line",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": line.namespace,
                            "MetricName": line.name,
                            "Dimensions": dimensions,
                        },
                        "Period": self.period,
                        "Stat": line.statistic,
                    },
                }
            ],
            StartTime=datetime.fromtimestamp(self.start, UTC),
            EndTime=datetime.fromtimestamp(self.end, UTC),
        )["MetricDataResults"]
        moments = (moment.timestamp() - self.start for moment in result["Timestamps"])
        return dict(sorted(zip(moments, result["Values"], strict=True)))


def _state(alarm: "MetricAlarmTypeDef") -> str:
    is_evaluated = alarm.get("Namespace") != UNEVALUATED["Namespace"]
    is_quiet = alarm.get("TreatMissingData") == "notBreaching"
    if alarm["StateValue"] == "INSUFFICIENT_DATA" and is_evaluated and is_quiet:
        return "OK"
    return alarm["StateValue"]
