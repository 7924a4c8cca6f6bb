"""A loopback proxy whose answers hang or trickle in, from one of its requests on."""

from enum import StrEnum
from http.client import HTTPConnection
from threading import Event, Lock
from types import TracebackType
from urllib.parse import urlsplit

from tests.services.loopback import Loopback, QuietHandler

PAUSE = 0.05
"""Seconds between two bytes that trickle; each of them comes well within a read timeout."""
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Pace(StrEnum):
    """How answers come."""

    AT_ONCE = "at once"
    NEVER = "never"
    LOST = "never, although the request took effect"
    HEADERS_TRICKLE = "headers trickle in"
    BODY_TRICKLES = "the body trickles in"


class _Handler(QuietHandler):
    proxy: "SlowProxy"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pace = self.proxy.next_pace()
        if pace is Pace.NEVER:
            self._hang()
            return
        head, content = self._answer(body)
        if pace is Pace.LOST:
            self._hang()
            return
        self._write(head, trickles=pace is Pace.HEADERS_TRICKLE)
        self._write(content, trickles=pace is Pace.BODY_TRICKLES)

    do_GET = do_POST = pass_on  # noqa: N815 - the base class's own names

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

    def _write(self, data: bytes, *, trickles: bool) -> None:
        for part in [data[i : i + 1] for i in range(len(data))] if trickles else [data]:
            if trickles and self.proxy.ended.wait(PAUSE):
                break
            self.wfile.write(part)

    def _hang(self) -> None:
        self.proxy.ended.wait()
        self.close_connection = True


class SlowProxy(Loopback):
    """Passes requests on to a server, for the length of a `with` block.

    Args:
        upstream: Scheme, host and port of the server.

    Attributes:
        pace: How its answers come.
        skip: How many requests are answered at once before.
        upstream: Host and port of the server.
        ended: Whether the proxy has ended.
    """

    def __init__(self, upstream: str) -> None:
        self.pace = Pace.AT_ONCE
        self.skip = 0
        self.upstream = urlsplit(upstream).netloc
        self.ended = Event()
        self._lock = Lock()
        super().__init__(type("Handler", (_Handler,), {"proxy": self}))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        super().__exit__(kind, error, trace)

    def slow_down(self, pace: Pace, skip: int = 0) -> None:
        """Let answers come at that pace, after so many more at once."""
        with self._lock:
            self.pace, self.skip = pace, skip

    def next_pace(self) -> Pace:
        """How the next answer comes."""
        with self._lock:
            if self.skip > 0:
                self.skip -= 1
                return Pace.AT_ONCE
            return self.pace
