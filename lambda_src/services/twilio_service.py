"""Twilio: sends a message once, and finds messages whose outcome is unknown.

This adapter serves every channel of Twilio's; a channel provides its addresses and its own error
codes.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from requests import exceptions as http
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)
from twilio.base.version import Version
from twilio.http.response import Response
from urllib3 import exceptions as transport

from lambda_src.core import (
    Limit,
    ProcessingError,
    SendOutcomeUnknown,
    Step,
    TextRules,
    TransientFailure,
)
from lambda_src.services.twilio.errors import NO_REFUSALS, Refusal, classify
from lambda_src.services.twilio.http import DeadlineHttpClient
from lambda_src.services.twilio.lookup import find_sids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_src.core import DeliveryEvent, OutgoingMessage
    from lambda_src.services.secrets_manager_service import TwilioCredentials
    from lambda_src.services.twilio.callbacks import TwilioCallbacks

MAX_BODY_LENGTH = 1600
"""Characters of a free-text message (Twilio error 21617)."""
MAX_RENDERED_LENGTH = 1024
"""Characters of a rendered WhatsApp template; its variables alone must stay below that."""
TEXT_RULES = TextRules(body=(Limit(MAX_BODY_LENGTH),), variables=(Limit(MAX_RENDERED_LENGTH),))
"""Twilio's limits on every channel."""
CALLBACK_RETRIES = "#rc=5&rp=all"
"""Twilio repeats a status callback up to five times, after any failure; the fragment is not part
of the request (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""
PRELOAD_MODULES = ("twilio.rest.api",)
"""A hundred modules that the SDK imports at its first access to messages."""
SDK_ERRORS = (
    TwilioException,
    http.RequestException,
    transport.HTTPError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What the SDK raises; the last four for an answer that is not a message or list in JSON, such as a
gateway's error page."""
NOT_CONNECTED_ERRORS = (
    transport.NewConnectionError,
    transport.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)
"""Errors that only occur before a request is written: certainly nothing was sent."""


class TwilioSender:
    """Implements the port `Sender` with Twilio's Messages API.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty for Twilio.
        addresses: Returns a message's addresses as parameters of the API: `to`, and `from_` or
            `messaging_service_sid`.
        refusals: The channel's own error codes.
    """

    def __init__(
        self,
        timeout: float,
        base_url: str,
        addresses: Callable[[OutgoingMessage], Mapping[str, str]],
        refusals: Mapping[int, Refusal] = NO_REFUSALS,
    ) -> None:
        self._http_client = DeadlineHttpClient(timeout, base_url)
        self._timeout = timeout
        self._addresses = addresses
        self._refusals = refusals

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send once and return the sid."""
        parameters = {**self._addresses(message), **_content(message)}
        if message.status_callback and credentials.auth_token:  # only the token verifies callbacks
            parameters["status_callback"] = f"{message.status_callback}{CALLBACK_RETRIES}"
        try:
            sid = self._http_client.sdk_client(credentials).messages.create(**parameters).sid
        except SDK_ERRORS as error:
            raise _classify(error, Step.SEND, self._refusals) from error
        if not sid:
            raise SendOutcomeUnknown("twilio_answer_without_sid", Step.SEND)
        return sid

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """Return the sids of all listed messages like that one, the oldest first.

        Args:
            credentials: The account to search.
            message: What was sent; its template's sid is not needed.
            since: Earliest creation time in epoch seconds.

        Raises:
            TransientFailure: The list cannot be read; also `CredentialsRefused` and the like.
        """
        addresses = self._addresses(message)
        messages = self._http_client.sdk_client(credentials).messages
        try:
            return find_sids(messages, message, addresses, since, self._timeout)
        except SDK_ERRORS as error:
            failure = _classify(error, Step.SETTLE, self._refusals)
            if isinstance(failure, TransientFailure):
                raise failure from error
            # A lookup has no unknown outcome, and a refused one does not refuse the message.
            raise TransientFailure(
                failure.code, Step.SETTLE, failure.detail, alarm=failure.alarm
            ) from error


class TwilioStatusLookup:
    """Implements the port `StatusLookup` with Twilio's Messages API.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty for Twilio.
        callbacks: The channel's status callbacks, which report the same statuses and codes.
    """

    def __init__(self, timeout: float, base_url: str, callbacks: TwilioCallbacks) -> None:
        self._http_client = DeadlineHttpClient(timeout, base_url)
        self._callbacks = callbacks

    def look_up(self, credentials: TwilioCredentials, sid: str) -> DeliveryEvent | None:
        """Return the status of the message with that sid; None if the account has none.

        Raises:
            AccountRefused: Twilio refused the account; `CredentialsRefused`: the credentials.
            PermanentFailure: It refused the request.
            TransientFailure: It did not answer, or asked for later requests.
        """
        try:
            found = self._http_client.sdk_client(credentials).messages.get(sid).fetch()
        except SDK_ERRORS as error:
            answer = error_answer(error)
            if answer and answer[0] == HTTPStatus.NOT_FOUND:
                return None
            failure = _classify(error, Step.DELIVERY)
            if isinstance(failure, SendOutcomeUnknown):
                raise TransientFailure(failure.code, failure.step, failure.detail) from error
            raise failure from error
        event = self._callbacks.event(
            str(found.to or ""), sid, str(found.status or ""), str(found.error_code or "")
        )
        created = found.date_created
        return replace(event, accepted_at=created.timestamp() if created else None)

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered."""
        return self._callbacks.classify(event)


def _classify(
    error: Exception, step: Step, refusals: Mapping[int, Refusal] = NO_REFUSALS
) -> ProcessingError:
    answer = error_answer(error)
    if answer:
        return classify(*answer, step, refusals)
    kind = type(error).__name__
    if any(isinstance(cause, NOT_CONNECTED_ERRORS) for cause in _causes(error)):
        return TransientFailure("twilio_unreachable", step, kind)
    return SendOutcomeUnknown("twilio_answer_lost", step, kind)


def _content(message: OutgoingMessage) -> dict[str, str]:
    if not message.template_id:
        return {"body": message.body}
    variables = json.dumps(dict(message.variables), ensure_ascii=False)
    return {"content_sid": message.template_id, "content_variables": variables}


def error_answer(error: Exception) -> tuple[int, object] | None:
    """Return HTTP status and code of the answer that one of `SDK_ERRORS` is about, if there is one.

    A refused list raises a plain error with the response among its arguments. The newer error type
    takes its status from the body, which may contain anything: then the status is 0.
    """
    if not isinstance(error, TwilioRestException | TwilioServiceException):
        response = next((part for part in error.args if isinstance(part, Response)), None)
        if response is None:
            return None
        error = Version.exception("GET", "", response, "")
    return error.status if isinstance(error.status, int) else 0, error.code


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: chained, or wrapped in its arguments.

    Stops at a `ProcessingError`, which belongs to an earlier request.
    """
    seen: set[int] = set()
    links: list[object] = [error]
    while links:
        link = links.pop()
        is_known = id(link) in seen or isinstance(link, ProcessingError)
        if is_known or not isinstance(link, BaseException):
            continue
        seen.add(id(link))
        yield link
        reason = getattr(link, "reason", None)
        links.extend((*link.args, reason, link.__cause__, link.__context__))
