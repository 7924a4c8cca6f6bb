"""Alarms are evaluated as CloudWatch's documentation says, and nothing else is."""

import pytest

from tests.alarms.evaluation import State, decide, state_of
from tests.alarms.metrics import Metric, Metrics, NotUnderstoodError

OK, ALARM, INSUFFICIENT = State
RETAINED = None
"""The table's "Retain current state"."""

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
ROWS = [
    (points, needed, missing, expected)
    for needed, table in ((3, ALL_OF_THREE), (2, TWO_OF_THREE))
    for points, *columns in table
    for missing, expected in zip(
        ("missing", "ignore", "breaching", "notBreaching"), columns, strict=True
    )
]
SAMPLE = {
    "Namespace": "Sample",
    "MetricName": "Sample",
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 2,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.mark.parametrize("before", [OK, ALARM])
@pytest.mark.parametrize(("points", "needed", "missing", "expected"), ROWS)
def test_missing_data(
    points: str, needed: int, missing: str, expected: State | None, before: State
) -> None:
    """The tables of the documentation hold: 0 is no breach, X is one, - is a gap."""
    breaches = [None if point == "-" else point == "X" for point in points]

    assert (expected or before) is decide(breaches, 3, needed, missing, before)


def test_data_points_are_of_sliding_windows() -> None:
    """A data point counts as long as it is no older than the period, wherever a minute begins."""
    metrics = Metrics()
    metrics.put(Metric("Sample", "Sample"), 3.5, 1)
    metrics.put(Metric("Sample", "Sample"), 8, 1)
    alarm = SAMPLE | {"TreatMissingData": "notBreaching"}

    states = [state_of(alarm, metrics, minute, OK) for minute in (7, 8, 9)]
    assert [OK, ALARM, OK] == states


def test_dimensions_are_part_of_a_metric() -> None:
    """A data point with dimensions is not seen by an alarm that names none."""
    metrics = Metrics()
    metrics.put(Metric.named("Sample", "Sample", {"level": "ERROR"}), 1, 5)

    assert INSUFFICIENT is state_of(SAMPLE, metrics, 1, OK)


@pytest.mark.parametrize(
    "unknown",
    [{"Unit": "Count"}, {"Statistic": "p99"}, {"ExtendedStatistic": "p99"}],
    ids=lambda unknown: next(iter(unknown)),
)
def test_what_is_not_known_is_refused(unknown: dict[str, str]) -> None:
    """A property or a statistic that is not modelled is an error, not a silent OK."""
    with pytest.raises(NotUnderstoodError):
        state_of(SAMPLE | unknown, Metrics(), 1, OK)
