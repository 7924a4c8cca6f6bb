"""Twilio's HTTP client: bounded in time, without cookies, and fit for local servers."""

from __future__ import annotations

import time
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from requests import Session
from twilio.http.http_client import TwilioHttpClient

from lambda_src.services.bounded_http import BoundedAdapter

if TYPE_CHECKING:
    from twilio.http.response import Response

CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""
IDLE_SECONDS = 20.0
"""After this a kept connection is not trusted: a reset on it would leave the outcome unknown."""


class PhasedHttpClient(TwilioHttpClient):
    """Twilio's HTTP client with a timeout for each phase, and a base URL for local servers.

    It serves every tenant: nothing of one request is seen by another.

    Args:
        timeout: Seconds for a whole request: connecting, and the answer to its end.
        base_url: Scheme and host to use instead of Twilio's, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        super().__init__()
        self.session: Session = _session()
        connect = min(CONNECT_SECONDS, timeout / 2)
        # Handed on to `requests`, which takes a pair: connecting, and the answer.
        self.timeout = (connect, timeout - connect)  # type: ignore[assignment]
        self._base = urlsplit(base_url)
        self._used_at = time.monotonic()
        self._lock = Lock()

    def request(  # noqa: PLR0917 - the base class's own signature
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - the base class's own signature
    ) -> Response:
        """Make one request; connections that idled for long are closed first."""
        self._close_idle()
        return super().request(
            method, self._rebased(url), params, data, headers, auth, timeout, allow_redirects
        )

    def _close_idle(self) -> None:
        # One thread alone: another would close what the first has begun to use.
        with self._lock:
            now = time.monotonic()
            has_idled, self._used_at = now - self._used_at > IDLE_SECONDS, now
            if has_idled:
                self.session.close()

    def _rebased(self, url: str) -> str:
        if not self._base.netloc:
            return url
        parts = urlsplit(url)
        return urlunsplit((self._base.scheme, self._base.netloc, *parts[2:]))


def _session() -> Session:
    session = Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, BoundedAdapter(max_retries=0))
    return session
