"""Twilio: sends one message once, and finds one whose outcome is unknown."""

from __future__ import annotations

import json
import re
import time
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from requests import exceptions as http
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3 import exceptions as transport

from lambda_src.core.errors import ProcessingError, SendOutcomeUnknown, Step, TransientFailure
from lambda_src.services.twilio_errors import meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twilio.http.response import Response
    from twilio.rest.api.v2010.account.message import MessageInstance

    from lambda_src.core.message import OutgoingMessage
    from lambda_src.core.ports import TwilioCredentials

CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""
IDLE_SECONDS = 20.0
"""After this a kept connection is not trusted: a reset on it would leave the outcome unknown."""
LISTED_AT_MOST = 200
"""Messages looked through for one send; a recipient gets fewer since the intent."""
FAILURES = (TwilioException, http.RequestException, ValueError)
"""What the SDK raises; the last for an answer that is no JSON, such as a gateway's error page."""

_SPACES = re.compile(r"\s+")


class PhasedHttpClient(TwilioHttpClient):
    """Twilio's HTTP client with a timeout for each phase, and a base URL for local servers.

    Args:
        timeout: Seconds for a whole request: connecting and waiting for the answer.
        base_url: Scheme and host to use instead of Twilio's, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        super().__init__(max_retries=0)
        connect = min(CONNECT_SECONDS, timeout / 2)
        # Handed on to `requests`, which takes a pair: connecting, and waiting for the answer.
        self.timeout = (connect, timeout - connect)  # type: ignore[assignment]
        self._base = urlsplit(base_url)
        self._used_at = time.monotonic()

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
        now = time.monotonic()
        if self.session and now - self._used_at > IDLE_SECONDS:
            self.session.close()
        self._used_at = now
        return super().request(
            method, self._rebased(url), params, data, headers, auth, timeout, allow_redirects
        )

    def _rebased(self, url: str) -> str:
        if not self._base.netloc:
            return url
        parts = urlsplit(url)
        return urlunsplit((self._base.scheme, self._base.netloc, *parts[2:]))


class TwilioSender:
    """Implements the port `Sender` with Twilio's Messages API for WhatsApp.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty for Twilio's own.
    """

    def __init__(self, timeout: float, base_url: str = "") -> None:
        self._http_client = PhasedHttpClient(timeout, base_url)
        self._clients: dict[tuple[str, str], Client] = {}
        self._lock = Lock()

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send once and return the sid."""
        try:
            sid = self._client(credentials).messages.create(**_parameters(message)).sid
        except FAILURES as error:
            raise _translated(error, Step.SEND) from error
        if not sid:
            raise SendOutcomeUnknown("twilio_answer_without_sid", Step.SEND)
        return sid

    def find(
        self,
        credentials: TwilioCredentials,
        message: OutgoingMessage,
        *,
        since: float,
        exclude: Callable[[], frozenset[str]],
    ) -> str | None:
        """The sid of that message if Twilio lists it as created since then, else None."""
        try:
            listed = list(self._created_since(credentials, message, since))
        except FAILURES as error:
            raise _unlisted(_translated(error, Step.SETTLE)) from error
        sids = [instance.sid for instance in listed if _is_same(instance, message)]
        if not sids:
            return None
        taken = exclude()
        # The list is newest first; the first message after the intent is the one announced.
        return next((sid for sid in reversed(sids) if sid and sid not in taken), None)

    def _created_since(
        self, credentials: TwilioCredentials, message: OutgoingMessage, since: float
    ) -> Iterator[MessageInstance]:
        # Not `date_sent_after`: a message that is accepted and not yet sent has no such date.
        messages = self._client(credentials).messages.stream(
            to=_address(message.recipient), from_=_address(message.sender), limit=LISTED_AT_MOST
        )
        for instance in messages:
            if instance.date_created and instance.date_created.timestamp() < since - 1:
                return
            yield instance

    def _client(self, credentials: TwilioCredentials) -> Client:
        key = (credentials.account_sid, credentials.auth_token)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = Client(  # type: ignore[no-untyped-call]
                    *key, http_client=self._http_client
                )
            return self._clients[key]


def _address(number: str) -> str:
    return f"whatsapp:{number}"


def _parameters(message: OutgoingMessage) -> dict[str, str]:
    addresses = {"to": _address(message.recipient), "from_": _address(message.sender)}
    if not message.template_sid:
        return {**addresses, "body": message.body}
    variables = json.dumps(dict(message.variables), ensure_ascii=False)
    return {**addresses, "content_sid": message.template_sid, "content_variables": variables}


def _is_same(instance: MessageInstance, message: OutgoingMessage) -> bool:
    """Whether a listed message is that message: same text, or every variable within its text.

    Twilio lists a template message with its rendered body, and without its template or variables.
    """
    if not str(instance.direction).startswith("outbound"):
        return False
    listed = _folded(instance.body or "")
    if not message.variables:
        return listed == _folded(message.body)
    return all(_folded(value) in listed for value in message.variables.values())


def _folded(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _translated(error: Exception, step: Step) -> ProcessingError:
    if isinstance(error, TwilioRestException | TwilioServiceException):
        return meaning(error.status, error.code, step)
    kind = type(error).__name__
    if _never_connected(error):
        return TransientFailure("twilio_unreachable", step, kind)
    return SendOutcomeUnknown("twilio_answer_lost", step, kind)


def _never_connected(error: Exception) -> bool:
    if isinstance(error, http.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    return isinstance(reason, transport.NewConnectionError | transport.ConnectTimeoutError)


def _unlisted(error: ProcessingError) -> ProcessingError:
    # Looking has no outcome that could be unknown, and refuses no message.
    if isinstance(error, TransientFailure):
        return error
    return TransientFailure(error.code, Step.SETTLE, error.detail, alarm=error.alarm)
