"""Fixtures of the local cloud's tests."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.local.recorded_screen import RecordedScreen
from tests.support.browser import BrowserMissing, chromium


@pytest.fixture
def screen() -> RecordedScreen:
    """Return a screen whose output can be read."""
    return RecordedScreen()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run Chromium; skip the tests on a machine without it, other than in CI."""
    try:
        with chromium() as browser:
            yield browser
    except BrowserMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
