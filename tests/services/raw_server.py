"""A server that answers every request with the same bytes, at any pace."""

import json
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread
from types import TracebackType
from typing import Self


def http_answer(status: int, body: bytes, *headers: str) -> bytes:
    """An HTTP answer after which the connection stays open."""
    lines = (
        f"HTTP/1.1 {status} Status",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_answer(document: object, status: int = 200) -> bytes:
    """An HTTP answer of JSON."""
    return http_answer(status, json.dumps(document).encode())


class RawServer:
    """A loopback server, for the length of a `with` block.

    Args:
        answer: The whole answer, in parts where it is to trickle in.
        pause: Seconds between two parts.
        tls: Serves HTTPS with it.

    Attributes:
        headers: Those of each request so far, as text.
        connections: How many connections were made.
    """

    def __init__(self, *answer: bytes, pause: float = 0.0, tls: SSLContext | None = None) -> None:
        self.headers: list[str] = []
        self.connections = 0
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer, pause))
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

    def _handler(self, answer: Sequence[bytes], pause: float) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def do_POST(self) -> None:
                server.headers.append(str(self.headers))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                for number, part in enumerate(answer):
                    time.sleep(pause if number else 0)
                    self.wfile.write(part)

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # the client has given up

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        return Handler
