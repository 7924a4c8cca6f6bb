"""A model of CloudWatch: metrics, statistics, metric math and the states of alarms.

Anything not modelled raises `UnsupportedError`. Documentation:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import bisect
import math
import operator
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, reduce
from typing import Any, NamedTuple

from local.emulator.ministack_process import COMPARISONS as ALARM_COMPARISONS
from local.emulator.ministack_process import EXTRA_PERIODS, State, decide

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Average": statistics.fmean,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    **ALARM_COMPARISONS,
    "GtE": operator.ge,
    "Gt": operator.gt,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Eq": operator.eq,
}
"""By the name of an alarm's operator, and of the syntax node of metric math."""
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
ALARM_PROPERTIES = {
    *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator"),
    *("DatapointsToAlarm", "Dimensions", "EvaluationPeriods", "MetricName", "Metrics", "Namespace"),
    *("OKActions", "Period", "Statistic", "Tags", "Threshold", "TreatMissingData"),
}

Series = Sequence[float | None]
"""Values, oldest first; None where a data point is missing."""


class UnsupportedError(Exception):
    """A template uses a feature that is not modelled here."""


class Metric(NamedTuple):
    """A metric; different dimensions are different metrics."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "Metric":
        """Return the metric with these dimensions."""
        return cls(namespace, name, frozenset(dimensions.items()))


class Metrics:
    """Data points by metric; times are in minutes."""

    def __init__(self) -> None:
        self._points: defaultdict[Metric, list[tuple[float, float]]] = defaultdict(list)

    def put(self, metric: Metric, minute: float, value: float) -> None:
        bisect.insort(self._points[metric], (minute, value))

    def statistic(self, name: str, metric: Metric, after: float, until: float) -> float | None:
        """Return a statistic over `after` < time <= `until`; None without data points."""
        if name not in STATISTICS:
            raise UnsupportedError(f"statistic {name}")
        points = self._points[metric]
        first, last = (bisect.bisect(points, (end, math.inf)) for end in (after, until))
        values = [value for _, value in points[first:last]]
        return STATISTICS[name](values) if values else None


class Alarm:
    """An alarm over data points.

    Args:
        properties: Its resolved properties.
        metrics: The data points.

    Raises:
        UnsupportedError: A property, statistic or expression is not modelled.
    """

    def __init__(self, properties: Mapping[str, Any], metrics: Metrics) -> None:
        if unknown := properties.keys() - ALARM_PROPERTIES:
            raise UnsupportedError(f"alarm properties {sorted(unknown)}")
        self._properties = properties
        self._periods: int = properties["EvaluationPeriods"]
        self._readers = {stat["Id"]: _reader(metrics, stat) for stat in query_stats(properties)}
        queries = properties.get("Metrics", [{"Id": ""}])
        (self._result,) = [query for query in queries if query.get("ReturnData", True)]

    def state(self, now: float, before: State) -> State:
        """Return the state at a time in minutes, with which the evaluation window slides."""
        indexes = range(self._periods + EXTRA_PERIODS - 1, -1, -1)
        readers = self._readers.items()
        series = {name: tuple([read(now, index) for index in indexes]) for name, read in readers}
        expression, properties = self._result.get("Expression"), self._properties
        values = evaluate(expression, series) if expression else series[self._result["Id"]]
        breaches, threshold = COMPARISONS[properties["ComparisonOperator"]], properties["Threshold"]
        points = [None if value is None else breaches(value, threshold) for value in values]
        needed = properties.get("DatapointsToAlarm", self._periods)
        missing = properties.get("TreatMissingData", "missing")
        return decide(points, self._periods, needed, missing, before)


def query_stats(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return metric, statistic, period and id of an alarm's metric, or of those of its math."""
    if "Metrics" not in alarm:
        return [{"Id": "", "Metric": alarm, "Stat": alarm["Statistic"], "Period": alarm["Period"]}]
    queries = [query for query in alarm["Metrics"] if "MetricStat" in query]
    return [{"Id": query["Id"], **query["MetricStat"]} for query in queries]


def _reader(metrics: Metrics, stat: Mapping[str, Any]) -> Callable[[float, int], float | None]:
    """Return a function that reads the statistic of the period that ends `index` periods ago."""
    parts, period = stat["Metric"], stat["Period"] / 60
    dimensions = {part["Name"]: part["Value"] for part in parts.get("Dimensions", [])}
    metric = Metric.of(parts["Namespace"], parts["MetricName"], dimensions)
    read = cache(lambda end: metrics.statistic(stat["Stat"], metric, end - period, end))
    return lambda now, index: read(now - period * index)


def evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    """Evaluate metric math over series of equal length; its syntax is close to Python's.

    Raises:
        UnsupportedError: The expression is not in the modelled subset, or names another metric.
    """
    return _evaluate_once(expression, tuple((name, tuple(s)) for name, s in metrics.items()))


@cache
def _evaluate_once(expression: str, metrics: tuple[tuple[str, Series], ...]) -> Series:
    try:
        return _evaluate(_parse(expression), dict(metrics))
    except (SyntaxError, UnsupportedError) as error:
        raise UnsupportedError(f"metric math: {expression}") from error


@cache
def _parse(expression: str) -> ast.expr:
    python = re.sub(r"\b(AND|OR)\b", lambda word: word[0].lower(), expression)
    return ast.parse(python, mode="eval").body


def _evaluate(node: ast.expr, metrics: Mapping[str, Series]) -> Series:
    def value(part: ast.expr) -> Series:
        return _evaluate(part, metrics)

    match node:
        case ast.Constant(value=int() | float() as number):
            return [float(number)] * len(next(iter(metrics.values())))
        case ast.Name(id=name) if name in metrics:
            return metrics[name]
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _pairwise(COMPARISONS[type(comparison).__name__], value(left), value(right))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in ARITHMETIC:
            return _arithmetic(ARITHMETIC[type(sign)], value(left), value(right))
        case ast.BoolOp(op=word, values=parts):
            combine = operator.and_ if isinstance(word, ast.And) else operator.or_
            pairwise = partial(_pairwise, lambda a, b: combine(bool(a), bool(b)))
            return reduce(pairwise, map(value, parts))
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return _call(function, arguments, value)
    raise UnsupportedError(ast.dump(node))


def _call(function: str, arguments: list[ast.expr], value: Callable[[ast.expr], Series]) -> Series:
    match function, arguments:
        case "IF", [test, yes, no]:
            triples = zip(value(test), value(yes), value(no), strict=True)
            return [None if test is None else a if test else b for test, a, b in triples]
        case "FILL", [part, ast.Name(id="REPEAT")]:
            filled: list[float | None] = []
            for point in value(part):
                filled.append(filled[-1] if point is None and filled else point)
            return filled
        case "FILL", [part, ast.Constant(value=int() | float() as filler)]:
            return [float(filler) if point is None else point for point in value(part)]
        case "DIFF", [part]:
            series = value(part)
            # A difference to a missing data point is missing: CloudWatch does not document it.
            pairs = zip([None, *series], series, strict=False)
            return [None if a is None or b is None else b - a for a, b in pairs]
    raise UnsupportedError(function)


def _arithmetic(combine: Callable[[float, float], float], left: Series, right: Series) -> Series:
    """Combine two series of numbers; the result is missing where one is, or for a division by 0."""

    def one(a: float | None, b: float | None) -> float | None:
        if a is None or b is None or (combine is operator.truediv and not b):
            return None
        return combine(a, b)

    return [one(a, b) for a, b in zip(left, right, strict=True)]


def _pairwise(combine: Callable[[float, float], bool], left: Series, right: Series) -> Series:
    """Combine two series; a missing data point counts as 0 unless both are missing."""
    return [
        None if a is None and b is None else float(combine(a or 0, b or 0))
        for a, b in zip(left, right, strict=True)
    ]
