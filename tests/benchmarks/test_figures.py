"""Figures are compared as ratios of one run, and laid out with what they are held against."""

import pytest

from benchmarks.figures import Figure, Goal
from benchmarks.table import table

GOAL = Goal(0.5, "straightforward")


def _figure(ours: list[float], other: list[float]) -> Figure:
    return Figure("start", "s", {"ours": ours, "straightforward": other}, (GOAL,))


def test_a_round_is_compared_with_itself() -> None:
    """A machine that is slower for a while is slower for all, so that ratios outlast it."""
    assert 0.5 == _figure([1.0, 5.0, 1.0], [2.0, 10.0, 2.0]).ratio(GOAL)


def test_one_slow_turn_does_not_decide() -> None:
    """The ratio is the median of the rounds'."""
    assert 0.5 == _figure([1.0, 9.0, 1.0], [2.0, 2.0, 2.0]).ratio(GOAL)


def test_series_of_other_lengths_are_compared_by_their_medians() -> None:
    """Where rounds do not pair up, medians are compared."""
    assert 0.25 == _figure([1.0], [2.0, 4.0, 6.0]).ratio(GOAL)


@pytest.mark.parametrize(("ours", "is_met"), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_goal_is_the_largest_ratio_that_is_good_enough(ours: float, is_met: bool) -> None:
    """A goal is met up to its ratio."""
    assert is_met == _figure([ours], [2.0]).is_met(GOAL)


def test_a_figure_is_a_row_for_each_goal() -> None:
    """The table says what was measured, by whom, the ratio, the goal, and whether it is met."""
    (row,) = table([_figure([1.0], [4.0])]).rows

    expected = ("start, s", "1", "4", "", "", "0.25 × straightforward", "≤ 0.5 ×", "yes")
    assert expected == row
