"""Ratios, goals and rows of the benchmarks' tables."""

import pytest

from benchmarks.figures import Figure, Goal, figure_table
from benchmarks.local_cloud import Run, parts, run_sizes

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


@pytest.mark.parametrize(("ours", "is_met"), [(0.9, True), (1.0, True), (1.1, False)])
def test_goal_is_largest_ratio(ours: float, is_met: bool) -> None:
    """A goal is met up to its ratio."""
    assert is_met == _figure([ours], [2.0]).is_met(GOAL)


def test_figure_is_a_row_per_goal() -> None:
    """A row has the contestants' values, the ratio, the goal, and whether it is met."""
    expected = ("start, s", "1", "4", "", "", "0.25 × straightforward", "≤ 0.5 ×", "yes")
    assert [expected] == list(figure_table([_figure([1.0], [4.0])]).rows)


@pytest.mark.parametrize(
    ("messages", "sizes"), [(1, [1]), (999, [1, 10, 100]), (1_000, [1, 10, 100, 1_000])]
)
def test_runs_grow_tenfold(messages: int, sizes: list[int]) -> None:
    """The sizes of the runs are powers of ten up to the given number."""
    assert sizes == list(run_sizes(messages))


def test_runs_are_split_and_reported_per_message() -> None:
    """At most a thousand messages are queued together; times are given per message."""
    assert [(0, 1_000), (1_000, 2_000), (2_000, 2_500)] == list(parts(2_500))
    run = Run(messages=1_000, seconds=26.2, cpu_seconds=12.34, memory_mb=102.4)
    assert ("1,000", "26.2", "26", "12.3", "102") == run.row()
