"""An adapter for `requests` whose timeouts bound a whole request.

A read timeout of `requests` counts from byte to byte, so an answer that arrives slowly can take any
time (https://requests.readthedocs.io/en/latest/user/advanced/#timeouts). Here reading the whole
answer, headers included, must end within the read timeout. A connect timeout counts separately for
each address of a host and does not include name resolution. Here a connection that took longer in
total is closed before anything is written to it. Connections through a proxy are not bounded.
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


class DeadlineAdapter(HTTPAdapter):
    """Bounds the requests to those URLs for which it is mounted on a session."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pool manager with bounded connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _DeadlineStream(io.RawIOBase):
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
            remaining = self._ends_at - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("the answer did not end in time")
            self._connection.settimeout(remaining)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_DeadlineStream(self.fp.detach(), sock))


class _DeadlineConnection(HTTPConnection):
    response_class = _DeadlineResponse

    def connect(self) -> None:
        # Wall-clock time, which continues while Lambda freezes the function.
        started = time.time()
        super().connect()
        if self.timeout is not None and time.time() - started > self.timeout:
            self.close()
            raise ConnectTimeoutError(self, "the connection was made too late")


class _DeadlineHTTPSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPSConnection
