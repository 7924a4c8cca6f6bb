"""What the tests of the proof share."""

from collections.abc import Iterator

import pytest

from tests.faults.grid.driver import Driver, driver


@pytest.fixture(scope="session")
def grid() -> Iterator[Driver]:
    """Plays cells of the grid in this process."""
    with driver() as one:
        yield one
