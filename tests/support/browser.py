"""A headless Chromium for tests of web pages, and what no page may do in it.

It is the browser of `tests/package.json`, unpacked by `make setup`, on Linux on x86-64, a system's
Chromium or Chrome elsewhere, and on each system the one that `CHROME_PATH` names.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    sync_playwright,
)

TESTS = Path(__file__).parents[1]
PACKAGES = TESTS / "node_modules"
UNPACKED = PACKAGES / ".chromium"
SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOOPBACK = ("127.0.0.1", None)
"""Hosts to which a page may send requests; an inline image has none."""
FAILED_RESOURCE = "Failed to load resource"
"""Beginning of the console's message for a request that is reported with its URL anyway."""
ABORTED = "net::ERR_ABORTED"
"""What becomes of the requests of a page that is left."""
HEIGHT = 800
TIMEOUT_MS = 90_000
"""The longest wait, even on a slow machine; most take less than a second."""
SETTINGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Arguments that keep the browser's requests on this machine, besides Playwright's own ones."""
RUN_AXE = "async () => (await axe.run({resultTypes: ['violations'], preload: false})).violations"

ColorScheme = Literal["light", "dark"]


class BrowserMissing(Exception):
    """No browser is installed."""


class PageProblem(AssertionError):
    """A page did what no page may do."""


@dataclass(frozen=True)
class View:
    """How a page is shown."""

    width: int = 1280
    color_scheme: ColorScheme = "light"

    def __str__(self) -> str:
        return f"{self.color_scheme}-{self.width}"


DEFAULT_VIEW = View()
VIEWS = [
    DEFAULT_VIEW,
    View(color_scheme="dark"),
    View(width=390),
    View(width=390, color_scheme="dark"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser, which ends with this process at the latest.

    Raises:
        BrowserMissing: There is none.
    """
    executable = _executable()
    own = executable.is_relative_to(UNPACKED)
    fonts = {"FONTCONFIG_FILE": TESTS / "fonts.conf", "LD_LIBRARY_PATH": UNPACKED / "al2023/lib"}
    environment = os.environ | {name: str(path) for name, path in fonts.items() if own}
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=executable, args=SETTINGS, env=dict(environment)
        ) as browser,
    ):
        yield browser


def _executable() -> Path:
    if not (PACKAGES / ".ready").exists():
        raise BrowserMissing("the browser of the tests is not installed: run `make setup`")
    fits = ("Linux", "x86_64") == (platform.system(), platform.machine())
    system = (found for name in SYSTEM_BROWSERS if (found := shutil.which(name)))
    own = UNPACKED / "chromium" if fits else next(system, None)
    if path := os.environ.get("CHROME_PATH") or own:
        return Path(path)
    raise BrowserMissing("no browser was found: set CHROME_PATH to a Chromium or Chrome")


@contextmanager
def open_page(browser: Browser, view: View = DEFAULT_VIEW) -> Iterator[Page]:
    """Open an empty page, without cookies and stored data.

    Raises:
        PageProblem: At the end: an error was logged (a script's exception or a violation of the
            content security policy, for example), or a request failed or left this machine.
    """
    with browser.new_context(
        viewport={"width": view.width, "height": HEIGHT}, color_scheme=view.color_scheme
    ) as context:
        context.set_default_timeout(TIMEOUT_MS)
        collector = _ProblemCollector(context)
        yield context.new_page()
    if collector.problems:
        raise PageProblem("\n".join(collector.problems))


class _ProblemCollector:
    """Collects the problems of all pages of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.problems: list[str] = []
        context.on("console", self._on_console)
        context.on("weberror", self._on_exception)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failure)
        context.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(FAILED_RESOURCE):
            self.problems.append(f"console: {message.text} ({message.location['url']})")

    def _on_exception(self, error: WebError) -> None:
        self.problems.append(f"exception: {error.error}")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in LOOPBACK:
            self.problems.append(f"request to another machine: {request.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != ABORTED:
            reason = f"{request.method} {request.url}: {request.failure}"
            self.problems.append(f"failed request: {reason}")

    def _on_response(self, response: Response) -> None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            request = f"{response.request.method} {response.url}"
            self.problems.append(f"status {response.status}: {request}")


def check_accessibility(page: Page) -> None:
    """Check what the page shows now by all rules of axe-core.

    Raises:
        PageProblem: Each violation, with the elements and what to correct.
    """
    # Evaluated by the debugger, to which the content security policy does not apply.
    page.evaluate(_axe())
    violations: list[dict[str, Any]] = page.evaluate(RUN_AXE)
    if violations:
        raise PageProblem("\n".join(f"{page.url}: {text}" for text in map(_described, violations)))


@cache
def _axe() -> str:
    return (PACKAGES / "axe-core/axe.min.js").read_text(encoding="utf-8")


def _described(violation: dict[str, Any]) -> str:
    lines = [f"{violation['id']} ({violation['impact']}): {violation['help']}"]
    for node in violation["nodes"]:
        summary = " ".join(node["failureSummary"].split())
        lines.append(f"  {' '.join(map(str, node['target']))}: {summary}")
    return "\n".join(lines)
