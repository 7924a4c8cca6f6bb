"""An HTTP client for Twilio's SDK with bounded requests, usable with local servers."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from requests import PreparedRequest, Session
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from lambda_src.services.http_deadline import DeadlineAdapter

if TYPE_CHECKING:
    from lambda_src.services.secrets_manager_service import TwilioCredentials
log = logging.getLogger(__name__)

MAX_CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""
MAX_IDLE_SECONDS = 20.0
"""Idle connections are closed after this: a reset on one would leave a send's outcome unknown."""
COMPRESSED = {"Accept-Encoding": "gzip, deflate"}


class DeadlineHttpClient(HttpClient):
    """Makes the SDK's requests, with separate timeouts for connecting and reading.

    All tenants share it, so it keeps nothing of a request: no cookie, login or body. Redirects are
    not followed. A session of `requests` would take a fortieth more of a message's processor time.

    Args:
        timeout: Seconds for a whole request: connecting, and reading the answer to its end.
        base_url: Scheme and host to use instead of Twilio's, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        super().__init__(log, is_async=False, timeout=timeout)
        connect = min(MAX_CONNECT_SECONDS, timeout / 2)
        self._timeouts = (connect, timeout - connect)
        self._base = urlsplit(base_url)
        self._adapter = DeadlineAdapter(max_retries=0)
        # Proxies and certificates of the environment, which are read once.
        environment = Session().merge_environment_settings(
            base_url or "https://api.twilio.com", {}, None, None, None
        )
        self._proxies, self._verify = environment["proxies"], environment["verify"] or True
        self._used_at = time.monotonic()
        self._lock = Lock()

    def request(  # noqa: PLR0917 - the base class's signature
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the client's own timeout applies
        allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - see the class
    ) -> Response:
        """Make one request, after closing connections that were idle for too long.

        Raises:
            requests.RequestException: There is no answer.
        """
        self._close_idle_connections()
        if self._base.netloc:
            uri = urlunsplit((self._base.scheme, self._base.netloc, *urlsplit(uri)[2:]))
        all_headers = {**COMPRESSED, **(headers or {})}
        body = {"json" if "json" in all_headers.get("Content-Type", "") else "data": data}
        request = PreparedRequest()
        request.prepare(method, uri, all_headers, params=params, auth=auth, **body)
        answer = self._adapter.send(
            request, timeout=self._timeouts, verify=self._verify, proxies=self._proxies
        )
        return Response(answer.status_code, answer.text, answer.headers)

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
                self._adapter.close()
