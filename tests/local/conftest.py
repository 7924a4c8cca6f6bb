"""Fixtures of the local cloud's tests."""

import pytest

from tests.local.recorded_screen import RecordedScreen


@pytest.fixture
def screen() -> RecordedScreen:
    """Return a screen whose output can be read."""
    return RecordedScreen()
