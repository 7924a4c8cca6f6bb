"""Accepted messages: their storage, delivery status, price and JSON.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import math
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from email.utils import formatdate
from itertools import islice, takewhile
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from local.fakes.faults import STRICT, Seconds
from local.fakes.service import InboxMessage
from local.fakes.twilio.errors import TwilioError, message_of
from local.fakes.twilio.requests import SendRequest, is_whatsapp, number_of

API = "/2010-04-01"
PRICE = Decimal("0.0079")
"""Fictitious price of a segment in dollars."""
_GSM7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_ESCAPED = "^{}\\[~]|€"


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class TwilioSettings:
    """Delays of the fake.

    Attributes:
        sent_after_seconds: Age at which a message changes from `queued` to `sent`.
        delivered_after_seconds: Age at which it changes to `delivered`.
        read_after_seconds: Age at which a WhatsApp message changes to `read`; None for never.
        list_lag_seconds: Age below which lists do not show a message.
        list_lag_requests: Number of matching lists that omit a message.
        max_page_size: Maximum page size of a list, whatever is requested.
    """

    sent_after_seconds: Seconds = 0.05
    delivered_after_seconds: Seconds = 0.2
    read_after_seconds: Seconds | None = None
    list_lag_seconds: Seconds = 0.0
    list_lag_requests: Annotated[int, Field(ge=0)] = 0
    max_page_size: Annotated[int, Field(ge=1)] = 1000


class LateFailure(NamedTuple):
    """The end of a message that was accepted and not delivered: status and error code."""

    status: str
    code: int


class Delivery(NamedTuple):
    """How far a message has come, with times in seconds since the epoch."""

    status: str
    updated: float
    sent: float | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted message.

    Attributes:
        sid: Its identifier.
        account_sid: The account that sent it.
        request: The request that was accepted.
        created: When it was accepted, in seconds since the epoch.
        failure: How it fails later; None if it is delivered.
        omitted: Number of lists that omitted it.
        number: Number of messages that were accepted before.
    """

    sid: str
    account_sid: str
    request: SendRequest
    created: float
    failure: LateFailure | None = None
    omitted: int = 0
    number: int = 0

    def deliveries(self, settings: TwilioSettings) -> list[Delivery]:
        """Return all states that the message passes through, in their order."""
        states, last = [Delivery("queued", self.created)], self.created
        for status, seconds in self._ages(settings):
            last = max(last, self.created + seconds)
            sent = None if status == "failed" else states[-1].sent or last
            code = self.failure.code if self.failure and status == self.failure.status else None
            states.append(Delivery(status, last, sent, code))
        return states

    def delivery(self, now: float, settings: TwilioSettings) -> Delivery:
        """Return how far the message has come at a time in seconds since the epoch."""
        first, *later = self.deliveries(settings)
        return next((state for state in reversed(later) if state.updated <= now), first)

    def _ages(self, settings: TwilioSettings) -> Iterator[tuple[str, float]]:
        if self.failure and self.failure.status == "failed":
            yield "failed", settings.sent_after_seconds
            return
        yield "sent", settings.sent_after_seconds
        end = self.failure.status if self.failure else "delivered"
        yield end, settings.delivered_after_seconds
        read_after = settings.read_after_seconds
        if not self.failure and read_after is not None and is_whatsapp(self.request.to):
            yield "read", read_after

    def resource(self, now: float, settings: TwilioSettings) -> dict[str, Any]:
        """Return the JSON of the message at a time in seconds since the epoch."""
        request, delivery = self.request, self.delivery(now, settings)
        is_sent = delivery.sent is not None
        segments = 1 if is_whatsapp(request.to) else segment_count(request.body)
        uri = f"{API}/Accounts/{self.account_sid}/Messages/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "messaging_service_sid": request.service or None,
            "api_version": API.strip("/"),
            "direction": "outbound-api",
            "to": request.to,
            # A messaging service chooses the sender when it sends.
            "from": request.sender if is_sent or not request.service else None,
            "body": request.body,
            "num_media": "0",
            "num_segments": str(segments),
            "status": delivery.status,
            "error_code": delivery.error_code,
            "error_message": delivery.error_code and message_of(delivery.error_code),
            "price": f"-{PRICE * segments:.5f}" if is_sent else None,
            "price_unit": "USD",
            "date_created": _rfc2822(self.created),
            "date_updated": _rfc2822(delivery.updated),
            "date_sent": _rfc2822(delivery.sent),
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }


class MessageStore:
    """The accepted messages; thread-safe.

    Args:
        clock: Returns seconds since the epoch.

    Attributes:
        clock: As given.
        accepted: Number of messages that were accepted so far.
        limit: Number of messages that are kept.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.accepted = 0
        self.limit = math.inf
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}

    def accept(
        self, account_sid: str, request: SendRequest, failure: LateFailure | None
    ) -> Message:
        """Store a new message."""
        sid = f"SM{uuid.uuid4().hex}"
        with self._lock:
            message = Message(
                sid, account_sid, request, self.clock(), failure, number=self.accepted
            )
            self.accepted += 1
            self._messages[sid] = message
            if len(self._messages) > self.limit:
                del self._messages[next(iter(self._messages))]
        return message

    def get(self, account_sid: str, sid: str) -> Message:
        """Return one of an account's messages.

        Raises:
            TwilioError: The account has none with this sid.
        """
        with self._lock:
            message = self._messages.get(sid)
        if message is None or message.account_sid != account_sid:
            raise TwilioError(20404)
        return message

    def delete(self, account_sid: str, sid: str, settings: TwilioSettings) -> None:
        """Remove one of an account's messages.

        Raises:
            TwilioError: The account has none with this sid, or its delivery has not ended.
        """
        message = self.get(account_sid, sid)
        if message.delivery(self.clock(), settings).status in {"queued", "sent"}:
            raise TwilioError(20009)
        with self._lock:
            self._messages.pop(sid, None)

    def oldest_first(self) -> list[Message]:
        """Return every message of every account."""
        with self._lock:
            return list(self._messages.values())

    def count_omission(self, messages: list[Message]) -> None:
        """Count that a list omitted these messages."""
        with self._lock:
            for message in messages:
                current = self._messages.get(message.sid)
                if current is not None:
                    self._messages[message.sid] = replace(current, omitted=current.omitted + 1)

    def clear(self) -> None:
        """Remove all messages."""
        with self._lock:
            self._messages.clear()

    def inbox_since(self, number: int) -> tuple[int, list[InboxMessage]]:
        """Return the next message's number, and the messages that arrive from a number on."""
        with self._lock:
            newest_first = reversed(self._messages.values())
            new = list(takewhile(lambda message: message.number >= number, newest_first))
            end = self.accepted
        return end, [_shown(message) for message in reversed(new) if message.failure is None]

    def inbox(self, number: str) -> list[InboxMessage]:
        """Return the messages that have reached or will reach a number, oldest first."""
        return [
            _shown(message)
            for message in self.oldest_first()
            if number_of(message.request.to) == number and message.failure is None
        ]

    def latest(self, number: int) -> list[InboxMessage]:
        """Return the latest messages, the newest first, with those that do not arrive."""
        with self._lock:
            newest = list(islice(reversed(self._messages.values()), number))
        return [_shown(message) for message in newest]


def _shown(message: Message) -> InboxMessage:
    request = message.request
    application = "WhatsApp" if is_whatsapp(request.sender) else "SMS"
    sender = number_of(request.sender)
    return InboxMessage(
        message.sid,
        sender,
        request.body,
        message.created,
        application,
        recipient=number_of(request.to),
    )


def segment_count(text: str) -> int:
    """Return the number of SMS segments of a text; 0 for an empty one.

    https://www.twilio.com/docs/glossary/what-sms-character-limit: 160 characters of GSM-7, or 153
    a segment if there are several; 70 and 67 if one character is outside GSM-7 (UCS-2).
    """
    if all(character in _GSM7_BASIC or character in _GSM7_ESCAPED for character in text):
        length, single, several = sum(2 if c in _GSM7_ESCAPED else 1 for c in text), 160, 153
    else:
        length, single, several = len(text.encode("utf-16-be")) // 2, 70, 67
    return min(length, 1) if length <= single else math.ceil(length / several)


def _rfc2822(seconds: float | None) -> str | None:
    return None if seconds is None else formatdate(int(seconds)).replace("-0000", "+0000")
