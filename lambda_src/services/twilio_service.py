"""Twilio: sends one message once, and finds those that may be one whose outcome is unknown."""

from __future__ import annotations

import json
import ssl
import time
from operator import itemgetter
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

from lambda_src.core.errors import ProcessingError, SendOutcomeUnknown, Step, TransientFailure
from lambda_src.services.twilio_errors import meaning
from lambda_src.services.twilio_http import PhasedHttpClient
from lambda_src.services.twilio_matching import is_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

    from lambda_src.core.message import OutgoingMessage
    from lambda_src.core.ports import TwilioCredentials

LISTED_AT_MOST = 200
"""Messages looked through for one send; a recipient gets fewer of one sender in a day."""
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
    """Implements the port `Sender` with Twilio's Messages API for WhatsApp.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty for Twilio's own.
    """

    def __init__(self, timeout: float, base_url: str = "") -> None:
        self._http_client = PhasedHttpClient(timeout, base_url)
        self._timeout = timeout

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send once and return the sid."""
        messages = self._messages(credentials)
        try:
            sid = messages.create(**_parameters(message)).sid
        except FAILURES as error:
            raise _translated(error, Step.SEND) from error
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
        messages = self._messages(credentials)
        try:
            ends_at = time.monotonic() + self._timeout
            matches = list(_created_since(messages, message, since, ends_at))
        except FAILURES as error:
            raise _unlisted(_translated(error, Step.SETTLE)) from error
        # Of one second, the grain of the dates, the one listed last is the oldest.
        matches.reverse()
        matches.sort(key=itemgetter(0))
        return tuple(sid for _, sid in matches)

    def _messages(self, credentials: TwilioCredentials) -> MessageList:
        # Made anew each time, in microseconds; what is costly, the connections, is kept.
        client = Client(  # type: ignore[no-untyped-call]
            credentials.account_sid, credentials.auth_token, http_client=self._http_client
        )
        return client.messages


def _address(number: str) -> str:
    return f"whatsapp:{number}"


def _parameters(message: OutgoingMessage) -> dict[str, str]:
    addresses = {"to": _address(message.recipient), "from_": _address(message.sender)}
    if not message.template_sid:
        return {**addresses, "body": message.body}
    variables = json.dumps(dict(message.variables), ensure_ascii=False)
    return {**addresses, "content_sid": message.template_sid, "content_variables": variables}


def _created_since(
    messages: MessageList, message: OutgoingMessage, since: float, ends_at: float
) -> Iterator[tuple[float, str]]:
    """Creation and sid of each match.

    All are looked at, up to the limit: the list goes by when messages were sent, so that one which
    was created before, and sent after, may stand ahead of ours. Nor is it filtered by that date,
    which a message that is accepted and not yet sent does not have. No page is asked for once the
    time is over (`ends_at`, of the monotonic clock): half a list tells nothing.
    """
    instances = messages.stream(
        to=_address(message.recipient), from_=_address(message.sender), limit=LISTED_AT_MOST
    )
    for instance in instances:
        if time.monotonic() > ends_at:
            raise http.Timeout("the list did not end in time")
        created = instance.date_created.timestamp() if instance.date_created else since
        if instance.sid and created >= since - 1 and _is_match(instance, message):
            yield created, instance.sid


def _is_match(instance: MessageInstance, message: OutgoingMessage) -> bool:
    is_outbound = str(instance.direction).startswith("outbound")
    return is_outbound and is_same(instance.body or "", message)


def _translated(error: Exception, step: Step) -> ProcessingError:
    refusal = _refusal(error)
    if refusal:
        # The newer form of an error has its status from the body, where anything may stand.
        status = refusal.status if isinstance(refusal.status, int) else 0
        return meaning(status, refusal.code, step)
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
