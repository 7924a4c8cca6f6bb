"""Twilio: sends one message once, and finds those that may be one whose outcome is unknown.

What stands here holds for every channel that Twilio serves; a channel says how its messages are
addressed, and which refusals only it knows.
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

from requests import exceptions as http
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)
from twilio.base.version import Version
from twilio.http.response import Response
from twilio.rest import Client
from urllib3 import exceptions as transport

from lambda_src.core.errors import ProcessingError, Step, TransientFailure
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.services.twilio_errors import NO_REFUSALS, Refusal, meaning
from lambda_src.services.twilio_http import PhasedHttpClient
from lambda_src.services.twilio_listing import sids_listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from twilio.rest.api.v2010.account.message import MessageList

    from lambda_src.core.message import OutgoingMessage
    from lambda_src.services.secret_forms import TwilioCredentials

IMPORTED_LATE = ("twilio.rest.api",)
"""What the SDK imports when it is first asked for messages: a hundred modules."""
FAILURES = (
    TwilioException,
    http.RequestException,
    transport.HTTPError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What the SDK raises; the last four for an answer that is not the JSON of a message or a list,
such as a gateway's error page."""
NEVER_CONNECTED = (
    transport.NewConnectionError,
    transport.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)
"""What only happens before a request is written: certainly nothing was sent."""


class TwilioSender:
    """Implements the port `Sender` with Twilio's Messages API.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty for Twilio's own.
        addresses: Gives whom a message is from and to, as parameters of the API: `to`, and `from_`
            or `messaging_service_sid`.
        refusals: What codes mean that only this channel meets.
    """

    def __init__(
        self,
        timeout: float,
        base_url: str,
        addresses: Callable[[OutgoingMessage], Mapping[str, str]],
        refusals: Mapping[int, Refusal] = NO_REFUSALS,
    ) -> None:
        self._http_client = PhasedHttpClient(timeout, base_url)
        self._timeout = timeout
        self._addresses = addresses
        self._refusals = refusals

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send once and return the sid."""
        messages = self._messages(credentials)
        try:
            sid = messages.create(**self._addresses(message), **_content(message)).sid
        except FAILURES as error:
            raise _translated(error, Step.SEND, self._refusals) from error
        if not sid:
            raise SendOutcomeUnknown("twilio_answer_without_sid", Step.SEND)
        return sid

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """The sids of all messages like that one which Twilio lists as created since then.

        Args:
            credentials: The account to look in.
            message: What was sent; its template's sid is not needed.
            since: Seconds since the epoch, before which no match was created.

        Returns:
            The sids, the oldest first.

        Raises:
            TransientFailure: The list cannot be read; also `CredentialsRefused` and the like.
        """
        messages, addresses = self._messages(credentials), self._addresses(message)
        try:
            return sids_listed(messages, message, addresses, since, self._timeout)
        except FAILURES as error:
            raise _unlisted(_translated(error, Step.SETTLE, self._refusals)) from error

    def _messages(self, credentials: TwilioCredentials) -> MessageList:
        # Made anew each time, in microseconds; what is costly, the connections, is kept.
        client = Client(  # type: ignore[no-untyped-call]
            credentials.account_sid, credentials.auth_token, http_client=self._http_client
        )
        return client.messages


def _content(message: OutgoingMessage) -> dict[str, str]:
    if not message.template_sid:
        return {"body": message.body}
    variables = json.dumps(dict(message.variables), ensure_ascii=False)
    return {"content_sid": message.template_sid, "content_variables": variables}


def _translated(error: Exception, step: Step, refusals: Mapping[int, Refusal]) -> ProcessingError:
    refusal = _refusal(error)
    if refusal:
        # The newer form of an error has its status from the body, where anything may stand.
        status = refusal.status if isinstance(refusal.status, int) else 0
        return meaning(status, refusal.code, step, refusals)
    kind = type(error).__name__
    if any(isinstance(link, NEVER_CONNECTED) for link in _chain(error)):
        return TransientFailure("twilio_unreachable", step, kind)
    return SendOutcomeUnknown("twilio_answer_lost", step, kind)


def _refusal(error: Exception) -> TwilioRestException | TwilioServiceException | None:
    if isinstance(error, TwilioRestException | TwilioServiceException):
        return error
    # A list that is refused is told by a plain error with the answer beside its text.
    answer = next((part for part in error.args if isinstance(part, Response)), None)
    return Version.exception("GET", "", answer, "") if answer else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it: as cause, as context, or wrapped in its arguments.

    Not beyond an error of our own, which tells of an earlier request.
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


def _unlisted(error: ProcessingError) -> ProcessingError:
    # Looking has no outcome that could be unknown, and refuses no message.
    if isinstance(error, TransientFailure):
        return error
    return TransientFailure(error.code, Step.SETTLE, error.detail, alarm=error.alarm)
