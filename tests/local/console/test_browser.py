"""The browser of the tests: a page that does what no page may do fails its test."""

from collections.abc import Iterator

import pytest
from flask import Flask, request
from playwright.sync_api import Browser

from local.fakes.server import LoopbackServer
from tests.support.browser import PageProblem, check_accessibility, open_page

PAGE = """<!doctype html><html lang="en"><title>Title</title><main><h1>Heading</h1>
<label>Name <input></label>{}</main></html>"""
SCRIPTS = {"error": "console.error('wrong')", "exception": "undefined.name"}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Serve pages with a strict content security policy, and scripts."""
    app = Flask(__name__)

    @app.get("/")
    def start() -> tuple[str, dict[str, str]]:
        return PAGE.format(request.args.get("with", "")), {
            "Content-Security-Policy": "default-src 'self'"
        }

    @app.get("/<name>.js")
    def script(name: str) -> tuple[str, dict[str, str]]:
        return SCRIPTS[name], {"Content-Type": "text/javascript"}

    with LoopbackServer(app, name="pages") as server:
        yield server.origin


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<script src=error.js></script>", "console: wrong"),
        ("<script src=exception.js></script>", "exception: .*undefined"),
        ("<script>1</script>", "console: .*Content Security Policy directive"),
        ("<p style='color: red'>red</p>", "console: .*Content Security Policy directive"),
        ("<img alt='' src=/missing.png>", "status 404: GET .*/missing.png"),
        ("<img alt='' src=http://example.com>", "request to another machine: http://example.com/"),
    ],
)
def test_a_problem_fails_the_test(
    browser: Browser, origin: str, content: str, problem: str
) -> None:
    """Console errors, exceptions, violations of the policy and failed requests are reported."""
    with pytest.raises(PageProblem, match=problem), open_page(browser) as page:
        page.goto(f"{origin}/?with={content}")


def test_an_input_without_label_is_not_accessible(browser: Browser, origin: str) -> None:
    """A violation names the rule, the element and what to correct."""
    violation = r"label \(critical\)(?s:.*)\.unlabelled: Fix any"
    with open_page(browser) as page:
        page.goto(origin + "/?with=<input class=unlabelled>")
        with pytest.raises(PageProblem, match=violation):
            check_accessibility(page)
