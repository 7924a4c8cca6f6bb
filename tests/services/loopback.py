"""A server of a test's own, on loopback."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread
from types import TracebackType
from typing import Self


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps its connection open, and minds no client that gives up."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Answer request after request, as long as the client stays."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client has given up

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Loopback:
    """Serves on a free port, for the length of a `with` block.

    Args:
        handler: What answers the requests.
        tls: Serves HTTPS with it.
    """

    def __init__(self, handler: type[QuietHandler], *, tls: SSLContext | None = None) -> None:
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
