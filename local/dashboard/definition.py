"""What a dashboard shows, read from the JSON that CloudWatch keeps of it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.errors import LocalCloudError

COLUMNS = 24
"""Of a dashboard's grid."""

_SEARCH = re.compile(
    r"SEARCH\('\{\"(?P<namespace>[^\"]+)\",(?P<dimensions>[\w,]+)\} "
    r"MetricName=\"(?P<name>\w+)\"', '(?P<statistic>\w+)'\)"
)


@dataclass(frozen=True)
class Box:
    """A widget's place, in cells of the grid from the upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Line:
    """A metric in a widget, or all metrics of a name with certain dimensions.

    Attributes:
        namespace: of the metric.
        name: of the metric.
        statistic: how data points of one period become one.
        label: what the legend calls it; empty for the values of its dimensions.
        color: as `#rrggbb`, or None where CloudWatch chooses.
        dimensions: the metric's; None as a value stands for any.
    """

    namespace: str
    name: str
    statistic: str
    label: str
    color: str | None
    dimensions: Mapping[str, str | None]


@dataclass(frozen=True)
class Limit:
    """A horizontal line that values are compared with."""

    label: str
    value: float
    color: str


@dataclass(frozen=True)
class Widget:
    """One part of a dashboard.

    Attributes:
        kind: `alarm`, `singleValue` or `timeSeries`.
        title: above it.
        box: where it stands.
        left: what is drawn over the left axis, or shown as numbers.
        right: what is drawn over the right axis.
        unit: the left axis's label.
        stacked: whether the lines stand on each other.
        limits: lines across the graph.
        alarms: names of the alarms whose states are shown.
    """

    kind: str
    title: str
    box: Box
    left: tuple[Line, ...] = ()
    right: tuple[Line, ...] = ()
    unit: str = ""
    stacked: bool = False
    limits: tuple[Limit, ...] = ()
    alarms: tuple[str, ...] = ()


def read_definition(body: str) -> list[Widget]:
    """Read a dashboard's widgets.

    Args:
        body: the `DashboardBody`, every reference resolved.

    Raises:
        LocalCloudError: a widget, or a metric in one, is of a kind that cannot be drawn here.
    """
    return [_widget(each) for each in json.loads(body)["widgets"]]


def _widget(definition: dict[str, Any]) -> Widget:
    properties = definition["properties"]
    box = Box(*(definition[name] for name in ("x", "y", "width", "height")))
    if definition["type"] == "alarm":
        alarms = tuple(arn.rpartition(":")[2] for arn in properties["alarms"])
        return Widget("alarm", properties["title"], box, alarms=alarms)
    if definition["type"] != "metric" or properties["view"] not in {"singleValue", "timeSeries"}:
        raise LocalCloudError(f"a widget that cannot be drawn: {definition['type']}")
    sides = [(_is_right(metric), _line(metric)) for metric in properties["metrics"]]
    return Widget(
        kind=properties["view"],
        title=properties["title"],
        box=box,
        left=tuple(line for is_right, line in sides if not is_right),
        right=tuple(line for is_right, line in sides if is_right),
        unit=properties.get("yAxis", {}).get("left", {}).get("label", ""),
        stacked=properties.get("stacked", False),
        limits=tuple(_limits(properties)),
    )


def _limits(properties: dict[str, Any]) -> list[Limit]:
    found = properties.get("annotations", {}).get("horizontal", [])
    return [Limit(each["label"], each["value"], each["color"]) for each in found]


def _is_right(metric: list[Any]) -> bool:
    return bool(metric[-1].get("yAxis") == "right")


def _line(metric: list[Any]) -> Line:
    *named, rendering = metric
    if not named:
        return _searched(rendering)
    namespace, name, *pairs = named
    return Line(
        namespace=namespace,
        name=name,
        statistic=rendering.get("stat", "Average"),
        label=rendering.get("label", name),
        color=rendering.get("color"),
        dimensions=dict(zip(pairs[::2], pairs[1::2], strict=True)),
    )


def _searched(rendering: dict[str, str]) -> Line:
    found = _SEARCH.fullmatch(rendering["expression"])
    if not found:
        raise LocalCloudError(f"an expression that is not known here: {rendering['expression']}")
    return Line(
        namespace=found["namespace"],
        name=found["name"],
        statistic=found["statistic"],
        label="",
        color=None,
        dimensions=dict.fromkeys(found["dimensions"].split(",")),
    )
