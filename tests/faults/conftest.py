"""Fixtures of the proof's tests."""

from collections.abc import Iterator

import pytest

from tests.faults.process_faults.run import Driver, driver


@pytest.fixture(scope="module")
def cells() -> Iterator[Driver]:
    """Run cells in this process, whose SQS uses the cells' time meanwhile."""
    with driver() as one:
        yield one
