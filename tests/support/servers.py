"""HTTP servers on loopback: fixed bytes at any pace, and a proxy that hangs or is slow."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from ssl import SSLContext
from threading import Event, Thread
from typing import Self

import urllib3

PAUSE = 0.05
"""Seconds between two bytes of a slow answer; each arrives well within a read timeout."""
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class _Server:
    """Answers requests on a free port inside a `with` block, over HTTPS with `tls`.

    Attributes:
        connections: How many connections were made.
    """

    def __init__(self, tls: SSLContext | None = None) -> None:
        self.connections = 0
        handler = type("Handler", (_Handler,), {"owner": self})
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

    def answer(self, request: "_Handler", body: bytes) -> Iterator[bytes]:
        """Yield the parts of an answer, each when it is to be written."""
        raise NotImplementedError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: _Server

    def setup(self) -> None:
        super().setup()
        self.owner.connections += 1

    def handle(self) -> None:
        with suppress(OSError):  # the client has given up
            super().handle()

    def respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for part in self.owner.answer(self, body):
            self.wfile.write(part)

    do_GET = do_POST = respond  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass


def http_answer(status: int, body: bytes, *headers: str) -> bytes:
    """Return an HTTP answer of JSON, after which the connection stays open."""
    return _head(status, body, ["Content-Type: application/json", *headers]) + body


def json_answer(document: object, status: int = 200) -> bytes:
    return http_answer(status, json.dumps(document).encode())


def _head(status: int, body: bytes, headers: Iterable[str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1")


class RawServer(_Server):
    """Answers every request with the same bytes.

    Args:
        answer: The answer, in parts if it is to arrive slowly.
        pause: Seconds between two parts.
        tls: Serves HTTPS with it.

    Attributes:
        headers: Those of each request, as text.
        bodies: Those of each request.
    """

    def __init__(self, *answer: bytes, pause: float = 0.0, tls: SSLContext | None = None) -> None:
        super().__init__(tls)
        self.headers: list[str] = []
        self.bodies: list[bytes] = []
        self._parts = answer
        self._pause = pause

    def answer(self, request: _Handler, body: bytes) -> Iterator[bytes]:
        """Yield the parts with their pauses."""
        self.headers.append(str(request.headers))
        self.bodies.append(body)
        for number, part in enumerate(self._parts):
            time.sleep(self._pause if number else 0)
            yield part


class Pace(StrEnum):
    """How a proxy's answers arrive."""

    AT_ONCE = "at once"
    NEVER = "never"
    LOST = "never, although the request took effect"
    HEADERS_TRICKLE = "headers byte by byte"
    BODY_TRICKLES = "body byte by byte"


class SlowProxy(_Server):
    """Forwards requests to a server with that scheme, host and port."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream
        self._ended = Event()
        self._paces = chain(repeat(Pace.AT_ONCE))

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        super().__exit__(*error)

    def slow_down(self, pace: Pace, skip: int = 0) -> None:
        """Let answers arrive at that pace, after `skip` more at once."""
        self._paces = chain(repeat(Pace.AT_ONCE, skip), repeat(pace))

    def answer(self, request: _Handler, body: bytes) -> Iterator[bytes]:
        """Yield what the server answers, at the request's pace."""
        pace = next(self._paces)
        answer = [] if pace is Pace.NEVER else self._forward(request, body)
        if pace in {Pace.NEVER, Pace.LOST}:
            self._ended.wait()
            request.close_connection = True
            return
        for part, slow in zip(answer, (Pace.HEADERS_TRICKLE, Pace.BODY_TRICKLES), strict=True):
            yield from self._trickle(part) if pace is slow else [part]

    def _forward(self, request: _Handler, body: bytes) -> list[bytes]:
        sent = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        url = self._upstream + request.path
        answer = urllib3.request(
            request.command, url, body=body, headers=sent, decode_content=False, retries=False
        )
        kept = [f"{k}: {v}" for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP]
        return [_head(answer.status, answer.data, kept), answer.data]

    def _trickle(self, data: bytes) -> Iterator[bytes]:
        for byte in range(len(data)):
            if self._ended.wait(PAUSE):
                return
            yield data[byte : byte + 1]
