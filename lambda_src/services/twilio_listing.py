"""Twilio's list of messages, and those in it that may be the one that was announced."""

from __future__ import annotations

import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from requests import exceptions as http

from lambda_src.services.twilio_matching import is_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

    from lambda_src.core.message import OutgoingMessage

LISTED_AT_MOST = 200
"""Messages looked through for one send; a recipient gets fewer of one sender in a day."""
FILTERS = frozenset({"to", "from_"})
"""The parts of an address that Twilio filters its list by; it shows the others in each message."""


def sids_listed(
    messages: MessageList,
    message: OutgoingMessage,
    addresses: Mapping[str, str],
    since: float,
    timeout: float,
) -> tuple[str, ...]:
    """The sids of all messages like that one which are listed as created since then.

    Args:
        messages: The account's.
        message: What was sent.
        addresses: Whom it is from and to, as parameters of the API.
        since: Seconds since the epoch, before which no match was created.
        timeout: Seconds after which no more is asked for.

    Returns:
        The sids, the oldest first.
    """
    listed = _listed(messages, addresses, time.monotonic() + timeout)
    matches = [
        (created, instance.sid)
        for created, instance in _created_since(listed, since)
        if instance.sid and _is_match(instance, message, addresses)
    ]
    # Of one second, the grain of the dates, the one listed last is the oldest.
    matches.reverse()
    matches.sort(key=itemgetter(0))
    return tuple(sid for _, sid in matches)


def _listed(
    messages: MessageList, addresses: Mapping[str, str], ends_at: float
) -> Iterator[MessageInstance]:
    """What Twilio lists between these addresses.

    Not filtered by the date of sending, which a message that is accepted and not yet sent does not
    have. No page is asked for once the time is over (`ends_at`, of the monotonic clock): half a
    list tells nothing.
    """
    filters: dict[str, Any] = {name: addresses[name] for name in FILTERS & addresses.keys()}
    for instance in messages.stream(**filters, limit=LISTED_AT_MOST):
        if time.monotonic() > ends_at:
            raise http.Timeout("the list did not end in time")
        yield instance


def _created_since(
    listed: Iterable[MessageInstance], since: float
) -> Iterator[tuple[float, MessageInstance]]:
    """Those created since then, and when.

    All are looked at, up to the limit: the list goes by when messages were sent, so that one which
    was created before, and sent after, may stand ahead of ours.
    """
    for instance in listed:
        created = instance.date_created.timestamp() if instance.date_created else since
        if created >= since - 1:
            yield created, instance


def _is_match(
    instance: MessageInstance, message: OutgoingMessage, addresses: Mapping[str, str]
) -> bool:
    is_outbound = str(instance.direction).startswith("outbound")
    others = addresses.keys() - FILTERS
    is_addressed_alike = all(getattr(instance, name) == addresses[name] for name in others)
    return is_outbound and is_addressed_alike and is_same(instance.body or "", message)
