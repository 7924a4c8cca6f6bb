"""The web console's server: access by a token, a strict content security policy, live regions."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hmac import compare_digest
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    redirect,
    render_template,
    request,
    stream_with_context,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from local import paths
from local.cloud import LocalCloud
from local.console import actions, faults, pages, send
from local.console.journal import Journal, LogBook
from local.console.operator import Operator, Parts
from local.fakes.server import HOST, InterruptibleWait, LoopbackServer
from local.fault_injection import AWS
from local.screen import Screen
from local.vendors import RealVendors

PORT = 4571
"""Another one is used where it is not free."""
LIBRARIES: Mapping[str, str] = {
    "daisyui.css": "daisyui/daisyui.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "morph.js": "idiomorph/dist/idiomorph-ext.min.js",
}
"""The page's style sheets and scripts, as npm installs them, by the names that the page uses."""
MODULES = paths.ROOT / "node_modules"

POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"),
        # The style sheets draw their own marks from `data:` pictures.
        *("img-src 'self' data:", "form-action 'self'", "base-uri 'none'"),
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = frozenset({"GET", "HEAD"})

LIVE_SECONDS = 0.5
"""How often queues, alarms and logs are looked at; writes to records are known at once."""
REFRESH_SECONDS = 30
COMMENT = ": nothing has changed\n\n"
LIVE_PAUSE_SECONDS = 0.2
"""The shortest time between two renderings of a live region."""
REGIONS = ("status", "view")
"""What the page replaces while it is open: the counts in its head, and the view's own content."""


class ConsoleServer(LoopbackServer):
    """Serves the web console of a local cloud from `start` to `stop`, or as a context manager.

    Args:
        cloud: the running local cloud.

    Attributes:
        token: without it every request is refused; part of `url`.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self.token = secrets.token_urlsafe(24)
        databases = (cloud.dynamodb_proxy, cloud.operator_proxy)
        vendors = {name: fake for name, fake in cloud.fakes.items() if name != AWS}
        self._journal = Journal(vendors, databases)
        wait = InterruptibleWait()
        parts = Parts(cloud, self._journal, LogBook(cloud.channels, cloud.feed), Operator(cloud))
        application = _application(parts, wait, lambda: self.token)
        super().__init__(application, name="console", wait=wait)
        self.prefer_port(PORT)

    @property
    def url(self) -> str:
        """The address to open, which contains the token.

        Raises:
            RuntimeError: the server is not running.
        """
        return f"{self.origin}/?token={self.token}"

    def stop(self) -> None:
        """Stop serving and watching; a second call does nothing."""
        self._journal.close()
        super().stop()


@contextmanager
def web_console(cloud: LocalCloud, screen: Screen) -> Iterator[None]:
    """Serve the web console of a local cloud for the length of a `with` block; show its address.

    With the real vendors there is none: it shows the texts and addresses of all recipients.
    """
    if isinstance(cloud.vendors, RealVendors):
        yield
    elif not all((MODULES / path).exists() for path in LIBRARIES.values()):
        names = sorted({path.partition("/")[0] for path in LIBRARIES.values()})
        screen.say(f"no web console: run `npm install {' '.join(names)}`", "dim")
        yield
    else:
        with ConsoleServer(cloud) as console:
            screen.say(f"watch it in a browser: {console.url}", "bold")
            yield


def _application(parts: Parts, wait: InterruptibleWait, token: Callable[[], str]) -> Flask:
    application = Flask(__name__)
    application.jinja_env.trim_blocks = application.jinja_env.lstrip_blocks = True
    application.jinja_env.filters.update(pages.FILTERS)
    application.before_request(lambda: _check_access(token()))
    application.after_request(_secure)
    application.register_error_handler(HTTPException, _error_page)
    views = Blueprint("console", __name__)
    for module in (pages, actions, send, faults):
        module.register(views, parts)
    _live_routes(views, parts, wait)
    _library_routes(views)
    application.register_blueprint(views)
    return application


def _check_access(token: str) -> ResponseReturnValue | None:
    """Refuse other hosts, other sites' requests, and requests without the token.

    A browser sends the token in the address once, and then as a cookie that scripts cannot read and
    that other sites' requests lack. The host is checked because another site may let its own name
    stand for this machine's address.
    """
    name = f"console-{request.host.rpartition(':')[2]}"  # browsers share cookies between ports
    if request.host.partition(":")[0] not in {HOST, "localhost"}:
        abort(403, "This page is served to this machine only.")
    given = request.args.get("token", "")
    if given and compare_digest(given.encode(), token.encode()):
        response = redirect(request.path)
        response.set_cookie(name, token, httponly=True, samesite="Strict")
        return response
    if not compare_digest(request.cookies.get(name, "").encode(), token.encode()):
        abort(403, "Open the address that the terminal shows: it contains a token.")
    origin = request.headers.get("Origin", request.host_url.rstrip("/"))
    if request.method not in SAFE_METHODS and origin != request.host_url.rstrip("/"):
        abort(403, "The request comes from another page.")
    return None


def _secure(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _error_page(error: HTTPException) -> ResponseReturnValue:
    return render_template("error.html", error=error), error.code or 500


def _live_routes(views: Blueprint, parts: Parts, wait: InterruptibleWait) -> None:
    @views.get("/live/<view>")
    def live(view: str) -> Response:
        """Send a view's regions as server-sent events, each time that they have changed."""
        if view not in pages.VIEWS:
            abort(404)
        arguments: dict[str, Any] = request.args.to_dict()

        def events() -> Iterator[str]:
            sent: dict[str, str] = {}
            rendered: object = None
            while True:
                seen = parts.journal.version
                # What depends on the time alone, such as ages, is rendered again now and then.
                state = (seen, parts.cloud.feed.changes(), time.monotonic() // REFRESH_SECONDS)
                if state != rendered:
                    rendered = state
                    # Without a write the end of the connection is not noticed.
                    yield from list(_changed(parts, view, arguments, sent)) or [COMMENT]
                wait.sleep(LIVE_PAUSE_SECONDS)
                parts.journal.wait_for_change(seen, LIVE_SECONDS)

        return Response(
            stream_with_context(events()),
            content_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def _changed(
    parts: Parts, view: str, arguments: Mapping[str, str], sent: dict[str, str]
) -> Iterator[str]:
    """Yield an event for each region that is not as it was sent before."""
    for region in REGIONS if pages.VIEWS[view].is_live else REGIONS[:1]:
        html = pages.render_region(parts, region, view, arguments)
        if sent.get(region) != html:
            sent[region] = html
            yield _event(region, html)


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n"


def _library_routes(views: Blueprint) -> None:
    @views.get("/library/<name>")
    def library(name: str) -> Response:
        if name not in LIBRARIES:
            abort(404)
        path = MODULES / LIBRARIES[name]
        kind = "text/css" if path.suffix == ".css" else "text/javascript"
        # The browser keeps them while the page is open; each start has another token and page.
        headers = {"Cache-Control": "private, max-age=86400"}
        return Response(path.read_bytes(), content_type=f"{kind}; charset=utf-8", headers=headers)
