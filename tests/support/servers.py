"""HTTP servers on loopback: fixed bytes at any pace, and a proxy that hangs or is slow."""

import json
import time
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from ssl import SSLContext
from threading import Event, Thread
from typing import Self
from urllib.parse import urlsplit

PAUSE = 0.05
"""Seconds between two bytes of a slow answer; each arrives well within a read timeout."""
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class _Handler(BaseHTTPRequestHandler):
    """Keeps its connection open, and ignores clients that give up."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client has given up

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: object) -> None:
        pass


class _Loopback:
    """Serves on a free port inside a `with` block, HTTPS with `tls`."""

    def __init__(self, handler: type[_Handler], tls: SSLContext | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.base_url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def http_answer(status: int, body: bytes, *headers: str) -> bytes:
    """Return an HTTP answer after which the connection stays open."""
    lines = (
        f"HTTP/1.1 {status} Status",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_answer(document: object, status: int = 200) -> bytes:
    """Return an HTTP answer of JSON."""
    return http_answer(status, json.dumps(document).encode())


class RawServer(_Loopback):
    """Answers every request with the same bytes.

    Args:
        answer: The answer, in parts if it is to arrive slowly.
        pause: Seconds between two parts.
        tls: Serves HTTPS with it.

    Attributes:
        headers: Those of each request, as text.
        connections: How many connections were made.
    """

    def __init__(self, *answer: bytes, pause: float = 0.0, tls: SSLContext | None = None) -> None:
        self.headers: list[str] = []
        self.connections = 0
        server = self

        class Handler(_Handler):
            timeout = 5

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def do_POST(self) -> None:
                server.headers.append(str(self.headers))
                self.read_body()
                for number, part in enumerate(answer):
                    time.sleep(pause if number else 0)
                    self.wfile.write(part)

        super().__init__(Handler, tls)


class Pace(StrEnum):
    """How a proxy's answers arrive."""

    AT_ONCE = "at once"
    NEVER = "never"
    LOST = "never, although the request took effect"
    HEADERS_TRICKLE = "headers byte by byte"
    BODY_TRICKLES = "body byte by byte"


class SlowProxy(_Loopback):
    """Forwards requests to a server.

    Args:
        upstream: The server's scheme, host and port.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.ended = Event()
        self.paces = chain(repeat(Pace.AT_ONCE))
        super().__init__(type("Handler", (_ProxyHandler,), {"proxy": self}))

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        super().__exit__(*error)

    def slow_down(self, pace: Pace, skip: int = 0) -> None:
        """Let answers arrive at that pace, after `skip` more at once."""
        self.paces = chain(repeat(Pace.AT_ONCE, skip), repeat(pace))


class _ProxyHandler(_Handler):
    proxy: SlowProxy

    def forward(self) -> None:
        body = self.read_body()
        pace = next(self.proxy.paces)
        answer = None if pace is Pace.NEVER else self._answer(body)
        if answer is None or pace is Pace.LOST:
            self.proxy.ended.wait()
            self.close_connection = True
            return
        head, content = answer
        self._write(head, is_slow=pace is Pace.HEADERS_TRICKLE)
        self._write(content, is_slow=pace is Pace.BODY_TRICKLES)

    do_GET = do_POST = forward  # noqa: N815 - the base class's names

    def _answer(self, body: bytes) -> tuple[bytes, bytes]:
        connection = HTTPConnection(self.proxy.upstream)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = [f"{k}: {v}" for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *kept]
        lines += [f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode("latin-1"), content

    def _write(self, data: bytes, *, is_slow: bool) -> None:
        for part in [data[i : i + 1] for i in range(len(data))] if is_slow else [data]:
            if is_slow and self.proxy.ended.wait(PAUSE):
                break
            self.wfile.write(part)
