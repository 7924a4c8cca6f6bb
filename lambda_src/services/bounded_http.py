"""An adapter for `requests` whose read timeout bounds the whole answer, not each read of it.

A read timeout counts from byte to byte: an answer that trickles in keeps a request alive for as
long as it likes (https://requests.readthedocs.io/en/latest/user/advanced/#timeouts). Here every
read of an answer, headers included, ends when the timeout has passed since the request went out.
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


class _HTTPSConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection
