"""HTTP servers on loopback: fixed bytes at any pace, and a proxy that hangs or is slow."""

import json
import time
from collections.abc import Sequence
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Lock, Thread
from typing import Self
from urllib.parse import urlsplit

PAUSE = 0.05
"""Seconds between two bytes of a slow answer; each arrives well within a read timeout."""
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps its connection open, and ignores clients that give up."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Answer requests for as long as the client stays."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client has given up

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Loopback:
    """Serves on a free port inside a `with` block.

    Args:
        handler: Answers the requests.
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
        """The server's URL."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

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


class RawServer(Loopback):
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
        super().__init__(self._handler(answer, pause), tls=tls)

    def _handler(self, answer: Sequence[bytes], pause: float) -> type[QuietHandler]:
        server = self

        class Handler(QuietHandler):
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

        return Handler


class Pace(StrEnum):
    """How a proxy's answers arrive."""

    AT_ONCE = "at once"
    NEVER = "never"
    LOST = "never, although the request took effect"
    HEADERS_TRICKLE = "headers byte by byte"
    BODY_TRICKLES = "body byte by byte"


class SlowProxy(Loopback):
    """Forwards requests to a server.

    Args:
        upstream: The server's scheme, host and port.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.ended = Event()
        self._pace, self._skip = Pace.AT_ONCE, 0
        self._lock = Lock()
        super().__init__(type("Handler", (_ProxyHandler,), {"proxy": self}))

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        super().__exit__(*error)

    def slow_down(self, pace: Pace, skip: int = 0) -> None:
        """Let answers arrive at that pace, after `skip` more at once."""
        with self._lock:
            self._pace, self._skip = pace, skip

    def next_pace(self) -> Pace:
        """Return the next answer's pace."""
        with self._lock:
            if self._skip > 0:
                self._skip -= 1
                return Pace.AT_ONCE
            return self._pace


class _ProxyHandler(QuietHandler):
    proxy: SlowProxy

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pace = self.proxy.next_pace()
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
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{name}: {value}" for name, value in kept]
        lines += [f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode("latin-1"), content

    def _write(self, data: bytes, *, is_slow: bool) -> None:
        for part in [data[i : i + 1] for i in range(len(data))] if is_slow else [data]:
            if is_slow and self.proxy.ended.wait(PAUSE):
                break
            self.wfile.write(part)
