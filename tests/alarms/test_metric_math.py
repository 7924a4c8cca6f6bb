"""Metric math is worked out as CloudWatch's documentation says, or refused."""

import pytest

from tests.alarms.metric_math import Series, evaluate
from tests.alarms.metrics import NotUnderstoodError

FIRST: Series = [30, 20, 0, 0]
SECOND: Series = [20, None, 20, None]
GAPS: Series = [None, 5, None, 8]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a < b", [0, 0, 1, 0]),
        ("a >= 30", [1, 0, 0, 0]),
        ("a > 15 AND b > 15", [1, 0, 0, 0]),
        ("a > 15 OR b > 15", [1, 1, 1, 0]),
        ("a > 15 && b > 15 || a == 0", [1, 0, 1, 1]),
        ("(a != 0)", [1, 1, 0, 0]),
        ("FILL(c, 0)", [0, 5, 0, 8]),
        ("FILL(c, REPEAT)", [None, 5, 5, 8]),
        ("DIFF(a)", [None, -10, -20, 0]),
        ("DIFF(c)", [None, None, None, None]),
        ("DIFF(FILL(c, REPEAT))", [None, None, 0, 3]),
        ("IF(a > 10, a, 7)", [30, 20, 7, 7]),
        ("IF(c > 6, 1, 0)", [0, 0, 0, 1]),
        ("IF(FILL(c, 0) > 0 AND FILL(b, 0) < 1, 1, 0)", [0, 1, 0, 1]),
    ],
)
def test_an_expression_is_worked_out(expression: str, expected: Series) -> None:
    """An expression of the subset has the values that the documentation gives."""
    assert expected == list(evaluate(expression, {"a": FIRST, "b": SECOND, "c": GAPS}))


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a +",
        "a + b",
        "SUM(METRICS())",
        "RATE(a)",
        "FILL(a, LINEAR)",
        "unknown > 1",
        "a > b > 1",
    ],
)
def test_what_is_not_known_is_refused(expression: str) -> None:
    """An expression outside the subset is refused in words that hold it."""
    with pytest.raises(NotUnderstoodError) as refusal:
        evaluate(expression, {"a": FIRST, "b": SECOND})
    assert expression in str(refusal.value)
