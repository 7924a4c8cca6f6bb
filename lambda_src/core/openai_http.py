"""What keeps an answer of OpenAI from outlasting its timeout.

A read timeout counts from read to read, and servers do send blanks while they think, so that a body
may trickle in for as long as it likes. Here a body is given up at the first bytes that come after
the timeout has passed since its request. Two gaps stay, which whoever waits for the answer has to
close: a body that then falls silent is waited for once more, up to the timeout; and headers are
bounded from read to read, since the HTTP library shows them whole only.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENDS_AT = "ends_at"
"""The extension of a request that holds its end, in seconds of the monotonic clock."""


def _stamp(request: httpx2.Request) -> None:
    request.extensions[ENDS_AT] = time.monotonic() + request.extensions["timeout"]["read"]


def _bound(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _BoundedStream(response.stream, response.request)


BOUNDED: Mapping[str, list[Callable[..., None]]] = {"request": [_stamp], "response": [_bound]}
"""Event hooks of an HTTP client for OpenAI; every request of it must have a read timeout."""


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request) -> None:
        self._stream = stream
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if time.monotonic() > self._request.extensions[ENDS_AT]:
                raise httpx2.ReadTimeout("the answer did not end in time", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()
