"""The model of CloudWatch and of resource policies follows the documentation of AWS."""

from typing import Any

import pytest

from local.emulator.ministack_process import State, decide
from tests.alarms import cloudwatch
from tests.alarms.chain import allows
from tests.alarms.cloudwatch import Alarm, Metrics, Series, UnsupportedError

OK, ALARM, INSUFFICIENT = State
RETAINED = None
""""Retain current state" in the documentation's table."""

ALL_OF_THREE = [
    ("0-X-X", OK, OK, OK, OK),
    ("0----", OK, OK, OK, OK),
    ("-----", INSUFFICIENT, RETAINED, ALARM, OK),
    ("0XX-X", ALARM, ALARM, ALARM, ALARM),
    ("----X", INSUFFICIENT, RETAINED, ALARM, OK),
    ("X----", ALARM, RETAINED, ALARM, OK),
]
TWO_OF_THREE = [
    ("0-X-X", ALARM, ALARM, ALARM, ALARM),
    ("00X0X", ALARM, ALARM, ALARM, ALARM),
    ("0-X--", OK, OK, ALARM, OK),
    ("----0", OK, OK, ALARM, OK),
    ("----X", INSUFFICIENT, RETAINED, ALARM, OK),
]
MISSING = ("missing", "ignore", "breaching", "notBreaching")
ROWS = [
    (points, needed, missing, expected)
    for needed, table in ((3, ALL_OF_THREE), (2, TWO_OF_THREE))
    for points, *columns in table
    for missing, expected in zip(MISSING, columns, strict=True)
]
SAMPLE = {
    "Namespace": "Sample",
    "MetricName": "Sample",
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Threshold": 2,
}


@pytest.mark.parametrize("before", [OK, ALARM])
@pytest.mark.parametrize(("points", "needed", "missing", "expected"), ROWS)
def test_missing_data(
    points: str, needed: int, missing: str, expected: State | None, before: State
) -> None:
    """Missing data points are treated as in the documentation (0: OK, X: breach, -: none)."""
    breaches = [None if point == "-" else point == "X" for point in points]
    assert (expected or before) is decide(breaches, 3, needed, missing, before)


@pytest.mark.parametrize(
    "unknown",
    [{"Unit": "Count"}, {"Statistic": "p99"}, {"ExtendedStatistic": "p99"}],
    ids=lambda unknown: next(iter(unknown)),
)
def test_unsupported_alarm_is_an_error(unknown: dict[str, str]) -> None:
    """A property or statistic that is not modelled is an error, not a silent OK."""
    with pytest.raises(UnsupportedError):
        Alarm(SAMPLE | unknown, Metrics()).state(1, OK)


SERIES: dict[str, Series] = {
    "a": [30, 20, 0, 0],
    "b": [20, None, 20, None],
    "c": [None, 5, None, 8],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 15 AND b > 15", [1, 0, 0, 0]),
        ("a > 15 OR b > 15", [1, 1, 1, 0]),
        ("FILL(c, REPEAT)", [None, 5, 5, 8]),
        ("DIFF(c)", [None, None, None, None]),
        ("DIFF(FILL(c, REPEAT))", [None, None, 0, 3]),
        ("IF(c > 6, 1, 0)", [0, 0, 0, 1]),
        ("100 * a / (a + FILL(b, 0))", [60, 100, 0, None]),
        ("IF(a < 5, 0, 100 / a)", [100 / 30, 5, 0, 0]),
    ],
)
def test_metric_math(expression: str, expected: Series) -> None:
    """An expression of the subset has the values in the documentation."""
    assert expected == list(cloudwatch.evaluate(expression, SERIES))


@pytest.mark.parametrize(
    "expression",
    ["a +", "a % b", "RATE(a)", "FILL(a, LINEAR)", "unknown > 1", "a > b > 1"],
)
def test_unsupported_metric_math_is_an_error(expression: str) -> None:
    """An expression outside the subset is an error that quotes it."""
    with pytest.raises(UnsupportedError) as raised:
        cloudwatch.evaluate(expression, SERIES)
    assert expression in str(raised.value)


TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"
CONTEXT = {"aws:sourceaccount": "111122223333", "aws:securetransport": "true"}
PERMISSION: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}


def _condition(operator: str, key: str, value: object) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def _is_allowed(*statements: dict[str, Any]) -> bool:
    return allows({"Statement": list(statements)}, "sns:Publish", TOPIC, CONTEXT)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Resource": "arn:aws:sns:*:*:alerts"}, True),
        (_condition("StringEquals", "AWS:SourceAccount", ["444455556666", "111122223333"]), True),
        ({"Principal": {"Service": "events.amazonaws.com"}}, False),
        ({"Resource": f"{TOPIC}-2"}, False),
        (_condition("StringEquals", "aws:SourceAccount", "444455556666"), False),
        (_condition("StringEquals", "aws:PrincipalOrgID", "o-1"), False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_statement(change: dict[str, Any], expected: bool) -> None:
    """A statement allows if principal, action and resource match and all conditions are met."""
    assert expected is _is_allowed(PERMISSION | change)


@pytest.mark.parametrize(
    "unknown", [{"NotAction": "sns:Publish"}, _condition("DateLessThan", "aws:Now", "1")]
)
def test_unsupported_policy_is_an_error(unknown: dict[str, Any]) -> None:
    """A key of a statement or an operator that is not modelled is an error, not an answer."""
    with pytest.raises(UnsupportedError):
        _is_allowed(PERMISSION | unknown)
