"""A server that answers every request with the same bytes, at any pace."""

import json
import time
from collections.abc import Sequence
from ssl import SSLContext

from tests.services.loopback import Loopback, QuietHandler


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


class RawServer(Loopback):
    """That server, for the length of a `with` block.

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
        super().__init__(self._handler(answer, pause), tls=tls)

    def _handler(self, answer: Sequence[bytes], pause: float) -> type[QuietHandler]:
        server = self

        class Handler(QuietHandler):
            timeout = 5

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def do_POST(self) -> None:  # noqa: N802 - the base class's own name
                server.headers.append(str(self.headers))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                for number, part in enumerate(answer):
                    time.sleep(pause if number else 0)
                    self.wfile.write(part)

        return Handler
