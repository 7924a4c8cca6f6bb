"""Metric math, evaluated as CloudWatch does.

The subset that the templates use; what lies outside it is refused. Rules:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from lark import Lark, ParseTree, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from tests.alarms.metrics import NotUnderstoodError

GRAMMAR = r"""
    ?start: any_of
    ?any_of: all_of | any_of ("OR" | "||") all_of -> either
    ?all_of: comparison | all_of ("AND" | "&&") comparison -> both
    ?comparison: value | value COMPARATOR value -> compare
    ?value: NUMBER -> number
        | NAME -> metric
        | "(" any_of ")"
        | "IF" "(" any_of "," any_of "," any_of ")" -> choose
        | "FILL" "(" any_of "," NUMBER ")" -> fill
        | "FILL" "(" any_of "," "REPEAT" ")" -> repeat
        | "DIFF" "(" any_of ")" -> difference

    COMPARATOR: "==" | "!=" | "<=" | ">=" | "<" | ">"
    NUMBER: /\d+(\.\d+)?/
    NAME: /[a-z][A-Za-z0-9_]*/

    %import common.WS
    %ignore WS
"""

COMPARATORS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}

Series = Sequence[float | None]
"""Values oldest first; None where there is no data point."""


def evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    """Evaluate an expression over series of the same length.

    Args:
        expression: As an alarm's metric query holds it.
        metrics: The series by their ids.

    Raises:
        NotUnderstoodError: The expression lies outside the subset, or names another metric.
    """
    try:
        return _Evaluator(metrics).transform(_parsed(expression))
    except (UnexpectedInput, VisitError) as error:
        raise NotUnderstoodError(f"metric math: {expression}") from error


class _Evaluator(Transformer[Token, Series]):
    """Works out the parsed expression, leaves first; a number is a series of that number."""

    def __init__(self, metrics: Mapping[str, Series]) -> None:
        super().__init__()
        self._metrics = metrics
        (self._length,) = {len(series) for series in metrics.values()}

    def number(self, parts: list[Token]) -> Series:
        return [float(parts[0])] * self._length

    def metric(self, parts: list[Token]) -> Series:
        return self._metrics[parts[0]]

    def compare(self, parts: list[Any]) -> Series:
        left, comparator, right = parts
        return _pairwise(COMPARATORS[comparator], left, right)

    def both(self, parts: list[Series]) -> Series:
        return _pairwise(lambda left, right: bool(left and right), *parts)

    def either(self, parts: list[Series]) -> Series:
        return _pairwise(lambda left, right: bool(left or right), *parts)

    def choose(self, parts: list[Series]) -> Series:
        return [
            None if test is None else yes if test else no
            for test, yes, no in zip(*parts, strict=True)
        ]

    def fill(self, parts: list[Any]) -> Series:
        series, value = parts
        return [float(value) if point is None else point for point in series]

    def repeat(self, parts: list[Series]) -> Series:
        (series,) = parts
        last: float | None = None
        filled = []
        for point in series:
            last = point if point is not None else last
            filled.append(last)
        return filled

    def difference(self, parts: list[Series]) -> Series:
        """Next to a gap there is no difference: how CloudWatch sees that is not documented."""
        (series,) = parts
        pairs = zip([None, *series], series, strict=False)
        return [None if a is None or b is None else b - a for a, b in pairs]


def _pairwise(combine: Callable[[float, float], bool], left: Series, right: Series) -> Series:
    """Where one side lacks a data point it counts as 0; where both do, there is none."""
    return [
        None if a is None and b is None else float(combine(a or 0, b or 0))
        for a, b in zip(left, right, strict=True)
    ]


@cache
def _parsed(expression: str) -> ParseTree:
    return _PARSER.parse(expression)


_PARSER = Lark(GRAMMAR, parser="lalr")
