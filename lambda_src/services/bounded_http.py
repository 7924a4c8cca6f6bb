"""An adapter for `requests` whose read timeout bounds the whole answer, not each read of it.

A read timeout counts from byte to byte: an answer that trickles in keeps a request alive for as
long as it likes (https://requests.readthedocs.io/en/latest/user/advanced/#timeouts). Here every
read of an answer, headers included, ends when the timeout has passed since the request went out.
A connect timeout counts anew for each address of a host, and not at all for the lookup of its name:
here a connection that took longer in all is closed before anything is written to it.
Connections through a proxy are the library's own, and bounded by its rule.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

if TYPE_CHECKING:
    from socket import socket

    from _typeshed import WriteableBuffer


class BoundedAdapter(HTTPAdapter):
    """Mount it on a session for the URLs whose answers are to be bounded."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool manager, with connections of our own."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _BoundedStream(io.RawIOBase):
    def __init__(self, stream: io.RawIOBase, connection: socket) -> None:
        super().__init__()
        self._stream = stream
        self._connection = connection
        timeout = connection.gettimeout()
        self._ends_at = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._ends_at is not None:
            rest = self._ends_at - time.monotonic()
            if rest <= 0:
                raise TimeoutError("the answer did not end in time")
            self._connection.settimeout(rest)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_BoundedStream(self.fp.detach(), sock))


class _HTTPConnection(HTTPConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        begun = time.time()
        super().connect()
        _check_made_in_time(self, begun)


class _HTTPSConnection(HTTPSConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        begun = time.time()
        super().connect()
        _check_made_in_time(self, begun)


def _check_made_in_time(connection: HTTPConnection, begun: float) -> None:
    # By the calendar's clock: a function may be frozen meanwhile, and thawed much later.
    took = time.time() - begun
    if connection.timeout is not None and took > connection.timeout:
        connection.close()
        raise ConnectTimeoutError(connection, "the connection was made too late")


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection
