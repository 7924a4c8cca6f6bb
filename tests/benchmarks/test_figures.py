"""Ratios, goals and rows of the benchmarks' tables."""

from dataclasses import replace

import pytest

from benchmarks.callbacks import CallbackUsage, cost_table
from benchmarks.figures import Figure, Goal
from planner.plan import BYTES_PER_GB

GOAL = Goal(0.5, "straightforward")


def _figure(ours: list[float], other: list[float]) -> Figure:
    return Figure("start", "s", {"ours": ours, "straightforward": other}, (GOAL,))


@pytest.mark.parametrize(
    ("ours", "other", "ratio"),
    [
        ([1.0, 5.0, 1.0], [2.0, 10.0, 2.0], 0.5),  # a slow round affects both
        ([1.0, 9.0, 1.0], [2.0, 2.0, 2.0], 0.5),  # one slow measurement does not decide
        ([1.0], [2.0, 4.0, 6.0], 0.25),  # series of different length: medians
    ],
)
def test_ratio_is_median_of_rounds(ours: list[float], other: list[float], ratio: float) -> None:
    """The ratio is the median of the rounds' ratios, or the ratio of medians."""
    assert ratio == _figure(ours, other).ratio(GOAL)


@pytest.mark.parametrize(
    ("ours", "largest", "smallest"), [(0.9, True, False), (1.0, True, True), (1.1, False, True)]
)
def test_goal_is_largest_or_smallest_ratio(ours: float, largest: bool, smallest: bool) -> None:
    """A goal is met up to its ratio, or from it on."""
    figure, minimum = _figure([ours], [2.0]), replace(GOAL, is_minimum=True)
    assert (largest, smallest) == (figure.is_met(GOAL), figure.is_met(minimum))
    assert ("≤ 0.5 ×", "≥ 0.5 ×") == (str(GOAL), str(minimum))


def test_callbacks_cost_their_calls_and_units() -> None:
    """Each callback is billed as a request, two invocations, two batches' calls and its units."""
    calls = {"sqs:SendMessage": 3.0, "dynamodb:GetItem": 3.0, "dynamodb:UpdateItem": 3.0}
    usage = CallbackUsage(
        callbacks=3, calls=calls, write_units=10, read_units=4, log_bytes=BYTES_PER_GB / 1e6
    )
    cost = usage.cost()
    assert pytest.approx((0.003, 0.0036)) == (cost.api, cost.queue)
    assert 10 * 0.000625 + 4 * 0.000125 == pytest.approx(cost.table)
    assert 3 * 0.0002 + 3 * 0.02 * 0.25 * 0.0133334 == pytest.approx(cost.receiver)
    assert 3 * 0.0002 + 6 * 0.02 * 0.5 * 0.0133334 == pytest.approx(cost.worker)
    assert 0.0005 == pytest.approx(cost.log)
    rows = cost_table(usage).rows
    without, total = (float(rows[number][1]) for number in (0, -1))
    assert without + cost.total == pytest.approx(total, abs=1e-4)
