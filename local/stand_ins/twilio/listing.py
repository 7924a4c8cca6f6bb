"""Lists of messages: filters, pages, and the lag with which a message appears.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources and
https://www.twilio.com/docs/usage/twilios-response#pagination. Filters by date go by the day, the
granularity that is documented, whatever time of day a request gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

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
        query: The request's parameters.
    """

    account_sid: str
    query: Mapping[str, str]

    def __post_init__(self) -> None:
        unknown = self.query.keys() - {*_FILTERS, *_PAGING}
        if unknown:
            raise TwilioError(20001, ", ".join(sorted(unknown)))
        for name in _FILTERS[2:]:
            _day_asked(self.query.get(name))
        if not 1 <= self.page_size <= MAX_PAGE_SIZE:
            raise TwilioError(20001, f"PageSize is not between 1 and {MAX_PAGE_SIZE}")

    @property
    def page_size(self) -> int:
        """How many messages a page has at most."""
        return _number(self.query.get("PageSize", str(DEFAULT_PAGE_SIZE)))

    @property
    def page(self) -> int:
        """The page's number, from 0."""
        return _number(self.query.get("Page", "0"))

    def wants(self, message: Message) -> bool:
        """Whether the filters let a message through."""
        day = datetime.fromtimestamp(message.created, UTC).date()
        on, before, after = (_day_asked(self.query.get(name)) for name in _FILTERS[2:])
        return (
            message.account_sid == self.account_sid
            and self.query.get("To", message.order.to) == message.order.to
            and self.query.get("From", message.order.sender) == message.order.sender
            and (on is None or day == on)
            and (before is None or day <= before)
            and (after is None or day >= after)
        )

    def uri(self, page: int, token: str | None = None) -> str:
        """The path and query of a page of this list."""
        filters = {name: self.query[name] for name in _FILTERS if name in self.query}
        paging = {"PageSize": self.page_size, "Page": page}
        tokens = {"PageToken": token} if token else {}
        path = f"{API}/Accounts/{self.account_sid}/Messages.json"
        return f"{path}?{urlencode(filters | paging | tokens)}"


def page_of_messages(
    wanted: ListRequest, store: MessageStore, settings: TwilioSettings
) -> dict[str, Any]:
    """The JSON of one page, newest messages first.

    Raises:
        TwilioError: The page's token is wrong.
    """
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
        "uri": wanted.uri(wanted.page, wanted.query.get("PageToken")),
        "first_page_uri": wanted.uri(0),
        "previous_page_uri": None if wanted.page == 0 else wanted.uri(wanted.page - 1),
        "next_page_uri": wanted.uri(wanted.page + 1, _TOKEN_PREFIX + shown[-1].sid)
        if more
        else None,
    }


def _visible(
    wanted: ListRequest, store: MessageStore, now: float, settings: TwilioSettings
) -> list[Message]:
    matching = [message for message in store.newest_first() if wanted.wants(message)]
    hidden = [message for message in matching if _lags(message, now, settings)]
    store.note_missed(hidden)
    return [message for message in matching if message not in hidden]


def _lags(message: Message, now: float, settings: TwilioSettings) -> bool:
    return (
        now - message.created < settings.list_lag_seconds
        or message.missed_lists < settings.list_lag_calls
    )


def _start(wanted: ListRequest, visible: list[Message]) -> int:
    token = wanted.query.get("PageToken")
    if token is None:
        return wanted.page * wanted.page_size
    for position, message in enumerate(visible):
        if _TOKEN_PREFIX + message.sid == token:
            return position + 1
    raise TwilioError(20001, "PageToken is not valid")


def _day_asked(value: str | None) -> date | None:
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
