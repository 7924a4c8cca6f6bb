"""Lists of messages: filters, order, pages, and the lag with which a message appears.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources and
https://www.twilio.com/docs/usage/twilios-response#pagination. Filters by date go by the day, the
granularity that is documented, whatever time of day a request gives; a message that was not sent
yet has no such date, so none of them lets it through.

A list is sorted by the date of sending, the most recent first, as documented. Where a message that
was not sent yet stands is not documented; here it comes last, which is harder on a reader that
takes the first message for the newest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from local.stand_ins.twilio.delivery import progress
from local.stand_ins.twilio.errors import TwilioError
from local.stand_ins.twilio.messages import Message, MessageStore
from local.stand_ins.twilio.resources import API, message_resource
from local.stand_ins.twilio.settings import TwilioSettings

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 50
_FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>")
_PAGING = ("PageSize", "Page", "PageToken")
_TOKEN_PREFIX = "PA"  # noqa: S105  # a page's token, no credential


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A request for a page of an account's messages.

    Attributes:
        account_sid: The account.
        filters: The request's filters, as given.
        on: Day of the messages wanted.
        before: Last day of the messages wanted.
        after: First day of the messages wanted.
        page: The page's number, from 0.
        page_size: How many messages a page has at most.
        token: Token of the page; None for the first, or to count pages only.
    """

    account_sid: str
    filters: Mapping[str, str]
    on: date | None
    before: date | None
    after: date | None
    page: int
    page_size: int
    token: str | None

    def wants(self, message: Message, sent: float | None) -> bool:
        """Whether the filters let a message through.

        Args:
            message: The message.
            sent: When it was sent, in seconds since the epoch; None if it was not.
        """
        return (
            message.account_sid == self.account_sid
            and self.filters.get("To", message.order.to) == message.order.to
            and self.filters.get("From", message.order.sender) == message.order.sender
            and self._wants_day(sent)
        )

    def _wants_day(self, sent: float | None) -> bool:
        if sent is None:
            return self.on is None and self.before is None and self.after is None
        day = datetime.fromtimestamp(sent, UTC).date()
        return (
            self.on in {None, day}
            and (self.before is None or day <= self.before)
            and (self.after is None or day >= self.after)
        )

    def uri(self, page: int, token: str | None = None) -> str:
        """The path and query of a page of this list."""
        paging = {"PageSize": str(self.page_size), "Page": str(page)}
        tokens = {"PageToken": token} if token else {}
        path = f"{API}/Accounts/{self.account_sid}/Messages.json"
        return f"{path}?{urlencode({**self.filters, **paging, **tokens})}"


def list_request(account_sid: str, query: Mapping[str, str]) -> ListRequest:
    """What a request for a list asks for.

    Raises:
        TwilioError: A parameter is unknown or wrong.
    """
    unknown = query.keys() - {*_FILTERS, *_PAGING}
    if unknown:
        raise TwilioError(20001, ", ".join(sorted(unknown)))
    page_size = _number(query.get("PageSize", str(DEFAULT_PAGE_SIZE)))
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise TwilioError(20001, f"PageSize is not between 1 and {MAX_PAGE_SIZE}")
    return ListRequest(
        account_sid=account_sid,
        filters={name: query[name] for name in _FILTERS if name in query},
        on=_day(query.get("DateSent")),
        before=_day(query.get("DateSent<")),
        after=_day(query.get("DateSent>")),
        page=_number(query.get("Page", "0")),
        page_size=page_size,
        token=query.get("PageToken"),
    )


def page_of_messages(
    wanted: ListRequest, store: MessageStore, settings: TwilioSettings
) -> dict[str, Any]:
    """The JSON of one page, the messages sent last first.

    Raises:
        TwilioError: The page's token is wrong.
    """
    wanted = replace(wanted, page_size=min(wanted.page_size, settings.largest_page))
    now = store.clock()
    visible = _visible(wanted, store, now, settings)
    start = _start(wanted, visible)
    shown = visible[start : start + wanted.page_size]
    more = start + len(shown) < len(visible)
    return {
        "messages": [message_resource(message, now, settings) for message in shown],
        "page": wanted.page,
        "page_size": wanted.page_size,
        "start": start,
        "end": start + len(shown) - 1 if shown else start,
        "uri": wanted.uri(wanted.page, wanted.token),
        "first_page_uri": wanted.uri(0),
        "previous_page_uri": None if wanted.page == 0 else wanted.uri(wanted.page - 1),
        "next_page_uri": wanted.uri(wanted.page + 1, _TOKEN_PREFIX + shown[-1].sid)
        if more
        else None,
    }


def _visible(
    wanted: ListRequest, store: MessageStore, now: float, settings: TwilioSettings
) -> list[Message]:
    def sent(message: Message) -> float | None:
        return progress(message, now, settings).sent

    visible: list[Message] = []
    hidden: list[Message] = []
    for message in store.newest_first():
        if wanted.wants(message, sent(message)):
            (hidden if _lags(message, now, settings) else visible).append(message)
    store.note_missed(hidden)
    return sorted(visible, key=lambda message: sent(message) or -math.inf, reverse=True)


def _lags(message: Message, now: float, settings: TwilioSettings) -> bool:
    return (
        now - message.created < settings.list_lag_seconds
        or message.missed_lists < settings.list_lag_calls
    )


def _start(wanted: ListRequest, visible: list[Message]) -> int:
    if wanted.token is None:
        return wanted.page * wanted.page_size
    for position, message in enumerate(visible):
        if _TOKEN_PREFIX + message.sid == wanted.token:
            return position + 1
    raise TwilioError(20001, "PageToken is not valid")


def _day(value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).date()
    except ValueError as error:
        raise TwilioError(20001, "a DateSent is not a date") from error


def _number(value: str) -> int:
    if not value.isdecimal():
        raise TwilioError(20001, "Page and PageSize are whole numbers")
    return int(value)
