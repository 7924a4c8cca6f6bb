"""Alarms over metric math, which the embedded AWS neither deploys nor evaluates.

They are deployed over a metric of their own instead. Its data are the values of the expression, as
far as its metrics are the functions' own: those that AWS publishes about functions and queues are
not available here, and an alarm over one of them never goes off. The tests evaluate those.
"""

import ast
import json
import operator
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from local.aws import Aws
from local.emulator.feed import Feed
from local.errors import LocalCloudError

NAMESPACE = "LocalCloud/MetricMath"
METADATA = "LocalCloud:Metrics"
"""Where a template keeps the metric math that was replaced."""
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max}
REPEAT_SECONDS: Final = 30.0
"""A value that does not change is published again after this time, so that the alarm has data."""

Value = float | None
"""A value of a metric in a period; None if it has no data."""
_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], float]] = {
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
    ast.LtE: operator.le,
    ast.GtE: operator.ge,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def replace_metric_math(assembly: Path) -> None:
    """Replace the metric math of an assembly's templates by metrics of the alarms' own.

    Args:
        assembly: the directory; its templates are rewritten.
    """
    for path, template in _templates(assembly):
        stack = path.name.removesuffix(".template.json")
        alarms = {
            id_: resource
            for id_, resource in template.get("Resources", {}).items()
            if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
        }
        for id_, alarm in alarms.items():
            metrics = alarm["Properties"].pop("Metrics")
            alarm.setdefault("Metadata", {})[METADATA] = metrics
            own = {"MetricName": f"{stack}/{id_}", "Statistic": "Maximum", "Period": 60}
            alarm["Properties"] |= {"Namespace": NAMESPACE, **own}
        if alarms:
            path.write_text(json.dumps(template, indent=1), "utf-8")


class MathMetric:
    """The metric that replaces an alarm's metric math.

    Args:
        aws: where the metrics are.
        name: its name.
        queries: the alarm's metric data queries.
        feed: what has changed in this AWS.
    """

    def __init__(
        self, aws: Aws, name: str, queries: Sequence[Mapping[str, Any]], feed: Feed
    ) -> None:
        self._aws = aws
        self._feed = feed
        self._name = name
        self._queries = [query for query in queries if "MetricStat" in query]
        (expression,) = [each["Expression"] for each in queries if "Expression" in each]
        # Once, before there are threads: Python 3.11 cannot parse in two at the same time.
        self._expression = parse(expression)
        self._published: tuple[Value, float] = (None, 0.0)
        self._evaluated: tuple[int, float] = (0, 0.0)

    @classmethod
    def of_assembly(cls, aws: Aws, assembly: Path, feed: Feed) -> Iterator["MathMetric"]:
        """Yield the metrics of an assembly whose values can be computed."""
        for _, template in _templates(assembly):
            for resource in template.get("Resources", {}).values():
                queries = resource.get("Metadata", {}).get(METADATA, [])
                stats = [query["MetricStat"] for query in queries if "MetricStat" in query]
                if stats and not any(stat["Metric"].get("Dimensions") for stat in stats):
                    yield cls(aws, resource["Properties"]["MetricName"], queries, feed)

    def update(self) -> None:
        """Publish the expression's value, if it has one that is new."""
        now, data_points = time.time(), self._feed.changes().data_points
        if data_points == self._evaluated[0] and now - self._evaluated[1] < REPEAT_SECONDS:
            return
        self._evaluated = data_points, now
        value = evaluate(self._expression, {each["Id"]: self._read(each) for each in self._queries})
        before, at = self._published
        if value is None or (value == before and now - at < REPEAT_SECONDS):
            return
        self._published = value, now
        self._aws.cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{"MetricName": self._name, "Value": value}]
        )

    def _read(self, query: Mapping[str, Any]) -> Value:
        stat, now = query["MetricStat"], time.time()
        points: Any = self._aws.cloudwatch.get_metric_statistics(
            Namespace=stat["Metric"]["Namespace"],
            MetricName=stat["Metric"]["MetricName"],
            StartTime=datetime.fromtimestamp(now - stat["Period"], UTC),
            EndTime=datetime.fromtimestamp(now + 60, UTC),
            Period=60,
            Statistics=[stat["Stat"]],
        )["Datapoints"]
        values = [point[stat["Stat"]] for point in points]
        return STATISTICS[stat["Stat"]](values) if values else None


def parse(expression: str) -> ast.expr:
    """Parse metric math, whose syntax is close to Python's.

    Raises:
        LocalCloudError: the syntax is not supported here.
    """
    words = {"AND": "and", "OR": "or"}
    python = re.sub(r"\b(AND|OR)\b", lambda found: words[found[0]], expression)
    try:
        return ast.parse(python, mode="eval").body
    except SyntaxError as error:
        message = f"metric math not supported by the local cloud: {expression}"
        raise LocalCloudError(message) from error


def evaluate(expression: ast.expr, metrics: Mapping[str, Value]) -> Value:
    """Evaluate parsed metric math for one period.

    Args:
        expression: the expression.
        metrics: the metrics' values by their ids.

    Raises:
        LocalCloudError: the expression is not supported here, or names another metric.
    """
    try:
        return _evaluate(expression, metrics)
    except (LookupError, TypeError) as error:
        message = f"metric math not supported by the local cloud: {ast.unparse(expression)}"
        raise LocalCloudError(message) from error


def _evaluate(node: ast.expr, metrics: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return metrics[name]
        case ast.Call(func=ast.Name(id="FILL"), args=[part, filler]):
            value = _evaluate(part, metrics)
            return _evaluate(filler, metrics) if value is None else value
        case ast.Call(func=ast.Name(id="IF"), args=[test, yes, no]):
            value = _evaluate(test, metrics)
            return None if value is None else _evaluate(yes if value else no, metrics)
        case ast.BoolOp(op=word, values=parts):
            combine = all if isinstance(word, ast.And) else any
            return float(combine(_evaluate(part, metrics) for part in parts))
        case (
            ast.Compare(left=left, ops=[sign], comparators=[right])
            | ast.BinOp(left=left, op=sign, right=right)
        ):
            a, b = _evaluate(left, metrics), _evaluate(right, metrics)
            is_undefined = a is None or b is None or (isinstance(sign, ast.Div) and not b)
            return None if is_undefined else float(_OPERATORS[type(sign)](a, b))
    raise LookupError(ast.dump(node))


def _templates(assembly: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in assembly.glob("*.template.json"):
        yield path, json.loads(path.read_text("utf-8"))
