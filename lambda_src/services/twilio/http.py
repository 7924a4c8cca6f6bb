"""Twilio's HTTP client with bounded requests, without cookies, and usable with local servers."""

from __future__ import annotations

import time
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from requests import Session
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from lambda_src.services.http_deadline import DeadlineAdapter

if TYPE_CHECKING:
    from twilio.http.response import Response

    from lambda_src.services.secrets_manager_service import TwilioCredentials

MAX_CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""
MAX_IDLE_SECONDS = 20.0
"""Idle connections are closed after this: a reset on one would leave a send's outcome unknown."""


class DeadlineHttpClient(TwilioHttpClient):
    """Twilio's HTTP client with separate timeouts for connecting and reading.

    All tenants share it, so it keeps nothing of a request.

    Args:
        timeout: Seconds for a whole request: connecting, and reading the answer to its end.
        base_url: Scheme and host to use instead of Twilio's, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        super().__init__()
        self.session: Session = _session(base_url or "https://api.twilio.com")
        connect = min(MAX_CONNECT_SECONDS, timeout / 2)
        # Passed on to `requests`, which accepts a pair.
        self.timeout = (connect, timeout - connect)  # type: ignore[assignment]
        self._base = urlsplit(base_url)
        self._used_at = time.monotonic()
        self._lock = Lock()

    def request(  # noqa: PLR0917 - the base class's signature
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - the base class's signature
    ) -> Response:
        """Make one request, after closing connections that were idle for too long."""
        self._close_idle_connections()
        if self._base.netloc:
            url = urlunsplit((self._base.scheme, self._base.netloc, *urlsplit(url)[2:]))
        return super().request(method, url, params, data, headers, auth, timeout, allow_redirects)

    def sdk_client(self, credentials: TwilioCredentials) -> Client:
        """Return the SDK's client of an account, which takes microseconds to make."""
        login = credentials.account_sid, credentials.auth_token
        if credentials.api_key_sid:
            login = credentials.api_key_sid, credentials.api_key_secret
        return Client(*login, credentials.account_sid, http_client=self)  # type: ignore[no-untyped-call]

    def _close_idle_connections(self) -> None:
        # Only one thread closes them: another would close what the first has begun to use.
        with self._lock:
            now = time.monotonic()
            was_idle, self._used_at = now - self._used_at > MAX_IDLE_SECONDS, now
            if was_idle:
                self.session.close()


def _session(url: str) -> Session:
    session = Session()
    # Read once: at each request this would take 3 % of a message's processor time.
    environment = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify = environment["proxies"], environment["verify"]
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(max_retries=0))
    return session
