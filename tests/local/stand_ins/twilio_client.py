"""The real Twilio client, led to a stand-in."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client


class _LocalHttpClient(TwilioHttpClient):
    def __init__(self, base_url: str, timeout: float | None) -> None:
        super().__init__(timeout=timeout)
        self._base = urlsplit(base_url)

    def request(  # type: ignore[override]  # what else comes is passed on
        self, method: str, url: str, *args: Any, **options: Any
    ) -> Response:
        local = urlunsplit((self._base.scheme, self._base.netloc, *urlsplit(url)[2:]))
        return super().request(method, local, *args, **options)


def twilio_client(
    base_url: str, account_sid: str, token: str, *, timeout: float | None = 5
) -> Client:
    """A client for an account at a stand-in; `timeout` is in seconds."""
    http_client = _LocalHttpClient(base_url, timeout)
    return Client(account_sid, token, http_client=http_client)  # type: ignore[no-untyped-call]  # the SDK has no types here
