"""The browser of this directory's tests, stopped after the last of them."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import DEFAULT_VIEW, BrowserMissing, chromium, open_page


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


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a page that fails the test on errors, in the parameter's view if there is one."""
    with open_page(browser, getattr(request, "param", DEFAULT_VIEW)) as page:
        yield page
