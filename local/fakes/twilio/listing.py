"""Lists of messages: filters, order, pages, and the lag with which a message appears.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources and
https://www.twilio.com/docs/usage/twilios-response#pagination. Date filters compare days, the
documented granularity, whatever time of day a request gives; an unsent message has no such date,
so every date filter excludes it.

A list is sorted by the date of sending, the most recent first, as documented. The position of an
unsent message is not documented; here it is last, the more difficult case for a client that takes
the first message for the newest.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from local.fakes.twilio.errors import TwilioError
from local.fakes.twilio.messages import API, Message, MessageStore, TwilioSettings

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 50
_FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>")
_PAGING = ("PageSize", "Page", "PageToken")
_TOKEN_PREFIX = "PA"  # noqa: S105  # a page's token, no credential


class MessageList:
    """A request for a page of an account's messages.

    Args:
        account_sid: The account.
        query: The request's parameters.

    Raises:
        TwilioError: A parameter is unknown or invalid.
    """

    def __init__(self, account_sid: str, query: Mapping[str, str]) -> None:
        unknown = query.keys() - {*_FILTERS, *_PAGING}
        if unknown:
            raise TwilioError(20001, ", ".join(sorted(unknown)))
        self._account_sid = account_sid
        self._filters = {name: query[name] for name in _FILTERS if name in query}
        self._days = {name: _day(query[name]) for name in _FILTERS[2:] if name in query}
        self._page = _number(query.get("Page", "0"))
        self._page_size = _number(query.get("PageSize", str(DEFAULT_PAGE_SIZE)))
        if not 1 <= self._page_size <= MAX_PAGE_SIZE:
            raise TwilioError(20001, f"PageSize is not between 1 and {MAX_PAGE_SIZE}")
        self._token = query.get("PageToken")

    def read(self, store: MessageStore, settings: TwilioSettings) -> dict[str, Any]:
        """Return the JSON of the page.

        Raises:
            TwilioError: The page's token is invalid.
        """
        now, page, size = store.clock(), self._page, min(self._page_size, settings.max_page_size)
        visible = self._visible(store, now, settings)
        start = self._start(visible, page * size)
        shown = visible[start : start + size]
        next_token = None
        if start + len(shown) < len(visible):
            next_token = _TOKEN_PREFIX + shown[-1].sid
        return {
            "messages": [message.resource(now, settings) for message in shown],
            "page": page,
            "page_size": size,
            "start": start,
            "end": start + len(shown) - 1 if shown else start,
            "uri": self._uri(page, size, self._token),
            "first_page_uri": self._uri(0, size),
            "previous_page_uri": self._uri(page - 1, size) if page else None,
            "next_page_uri": self._uri(page + 1, size, next_token) if next_token else None,
        }

    def _visible(self, store: MessageStore, now: float, settings: TwilioSettings) -> list[Message]:
        def sent(message: Message) -> float | None:
            return message.delivery(now, settings).sent

        def is_lagging(message: Message) -> bool:
            age = now - message.created
            return age < settings.list_lag_seconds or message.omitted < settings.list_lag_requests

        newest_first = reversed(store.oldest_first())
        matching = [message for message in newest_first if self._matches(message, sent(message))]
        store.count_omission([message for message in matching if is_lagging(message)])
        visible = [message for message in matching if not is_lagging(message)]
        return sorted(visible, key=lambda message: sent(message) or -math.inf, reverse=True)

    def _matches(self, message: Message, sent: float | None) -> bool:
        request, filters = message.request, self._filters
        return (
            message.account_sid == self._account_sid
            and filters.get("To", request.to) == request.to
            and filters.get("From", request.sender) == request.sender
            and self._matches_day(sent)
        )

    def _matches_day(self, sent: float | None) -> bool:
        if sent is None:
            return not self._days
        day = datetime.fromtimestamp(sent, UTC).date()
        return (
            self._days.get("DateSent", day) == day
            and day <= self._days.get("DateSent<", day)
            and day >= self._days.get("DateSent>", day)
        )

    def _start(self, visible: list[Message], counted: int) -> int:
        if self._token is None:
            return counted
        for position, message in enumerate(visible):
            if _TOKEN_PREFIX + message.sid == self._token:
                return position + 1
        raise TwilioError(20001, "PageToken is not valid")

    def _uri(self, page: int, size: int, token: str | None = None) -> str:
        paging = {"PageSize": str(size), "Page": str(page)} | (
            {"PageToken": token} if token else {}
        )
        path = f"{API}/Accounts/{self._account_sid}/Messages.json"
        return f"{path}?{urlencode({**self._filters, **paging})}"


def _day(value: str) -> date:
    try:
        return datetime.fromisoformat(value).date()
    except ValueError as error:
        raise TwilioError(20001, "a DateSent is not a date") from error


def _number(value: str) -> int:
    if not value.isdecimal():
        raise TwilioError(20001, "Page and PageSize are integers")
    return int(value)
