"""What goes through the local cloud together, and what is told of it."""

import pytest

from benchmarks.cloud import Crowd, crowd_sizes, rounds


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, [1]), (999, [1, 10, 100]), (1_000, [1, 10, 100, 1_000])]
)
def test_crowds_grow_tenfold(most: int, sizes: list[int]) -> None:
    """Each crowd is ten times the one before, as long as it is no larger than asked for."""
    assert sizes == list(crowd_sizes(most))


def test_a_large_crowd_goes_in_parts() -> None:
    """No more than a thousand are on their way together, and none is left out."""
    assert [(0, 1_000), (1_000, 2_000), (2_000, 2_500)] == list(rounds(2_500))


def test_a_crowd_is_told_by_the_message() -> None:
    """Time and processor time are each message's, so that crowds can be compared."""
    crowd = Crowd(messages=1_000, seconds=26.2, cpu_seconds=12.34, memory_mb=102.4)
    assert ("1,000", "26.2", "26", "12.3", "102") == crowd.row()
