"""What the tests of the proof share."""

from collections.abc import Iterator

import pytest

from tests.faults.grid.driver import Driver, driver


@pytest.fixture(scope="module")
def grid() -> Iterator[Driver]:
    """Plays cells of the grid in this process, whose SQS goes by the cells' time meanwhile."""
    with driver() as one:
        yield one
