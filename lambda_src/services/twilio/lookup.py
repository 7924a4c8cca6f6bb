"""Lookup of a sent message in Twilio's list of messages.

Twilio lists a message with the text that the recipient reads: a template's variables are filled in,
and neither the template nor the variables are listed. So a template message can be recognized only
by the values that its text contains. A false "not found" costs an alarm and an operator's time, a
false "found" loses a message: in doubt, nothing matches.
"""

from __future__ import annotations

import re
import time
import unicodedata
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from requests import exceptions as http

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

    from lambda_src.core import OutgoingMessage

MAX_LISTED = 200
"""Listed messages examined for one send; a recipient gets fewer from one sender in a day."""
FILTERS = frozenset({"to", "from_"})
"""The address parameters by which Twilio filters its list; others are compared in each message."""

MIN_DISTINCTIVE_CHARACTERS = 20
"""Least total length of a template's values: shorter ones, such as a first name, are likely to be
in other messages to the same recipient."""
MIN_UNBOUNDED_CHARACTERS = 10
"""Least length of a value that counts, if no spaces bound its words: a shorter one may be a part of
a longer word."""

SCRIPTS_WITHOUT_SPACES = frozenset(
    {
        "BOPOMOFO",
        "CJK",
        "HIRAGANA",
        "IDEOGRAPHIC",
        "KATAKANA",
        "KHMER",
        "LAO",
        "MYANMAR",
        "THAI",
        "TIBETAN",
    }
)
"""First words of Unicode's character names in scripts without spaces between words."""

TRIAL_PREFIX = "Sent from your Twilio trial account - "
"""Precedes every text of a trial account
(https://www.twilio.com/docs/usage/tutorials/how-to-use-your-free-trial-account)."""

_WHITESPACE = re.compile(r"\s+")
_LINK = re.compile(r"https?://[^\s/]+/\S+")
_SHORT_LINK = r"https?://[^\s/]{1,253}/[A-Za-z0-9_-]{1,20}"
"""A link as Twilio shortens it, to its own or the account's domain and one short code
(https://www.twilio.com/docs/messaging/features/link-shortening)."""


def find_sids(
    messages: MessageList,
    message: OutgoingMessage,
    addresses: Mapping[str, str],
    since: float,
    timeout: float,
) -> tuple[str, ...]:
    """Return the sids of all listed messages like that one, the oldest first.

    Args:
        messages: The account's messages.
        message: What was sent.
        addresses: Its sender and recipient, as parameters of the API.
        since: Earliest creation time in epoch seconds.
        timeout: Seconds after which no further page is requested.

    Raises:
        Timeout: The time is over; a part of the list does not answer whether a message exists.
    """
    found = [
        (created, instance.sid)
        for created, instance in _created_since(messages, addresses, since, timeout)
        if instance.sid and _is_match(instance, message, addresses)
    ]
    # Dates have a resolution of one second; of equal ones, the last listed is the oldest.
    found.reverse()
    found.sort(key=itemgetter(0))
    return tuple(sid for _, sid in found)


def _created_since(
    messages: MessageList, addresses: Mapping[str, str], since: float, timeout: float
) -> Iterator[tuple[float, MessageInstance]]:
    """Yield the listed messages between these addresses with their creation time.

    The list cannot be filtered by date, since a message that is accepted but not yet sent has no
    date of sending. It is sorted by that date, so all are examined up to the limit: an older
    message that was sent later may precede ours.
    """
    ends_at = time.monotonic() + timeout
    filters: dict[str, Any] = {name: addresses[name] for name in FILTERS & addresses.keys()}
    for instance in messages.stream(**filters, limit=MAX_LISTED):
        if time.monotonic() > ends_at:
            raise http.Timeout("the list did not end in time")
        created = instance.date_created.timestamp() if instance.date_created else since
        if created >= since - 1:
            yield created, instance


def _is_match(
    instance: MessageInstance, message: OutgoingMessage, addresses: Mapping[str, str]
) -> bool:
    is_outbound = str(instance.direction).startswith("outbound")
    unfiltered = addresses.keys() - FILTERS
    has_same_addresses = all(getattr(instance, name) == addresses[name] for name in unfiltered)
    return is_outbound and has_same_addresses and matches(instance.body or "", message)


def matches(listed: str, message: OutgoingMessage) -> bool:
    """Return whether a listed text is that message's.

    Both are compared in Unicode's composed form (NFC), with any white space as one space. A trial
    account's prefix is ignored, and in the place of a link a shortened one may be listed.

    Args:
        listed: The text of an outbound message, as Twilio lists it.
        message: The message; one with variables was sent with a template, else as its body.
    """
    text = _normalized(listed).removeprefix(TRIAL_PREFIX)
    if message.variables:
        return _contains_all(text, [_normalized(value) for value in message.variables.values()])
    return bool(text) and bool(re.fullmatch(_pattern(_normalized(message.body)), text))


def _pattern(text: str) -> str:
    """Return a regular expression for a text in which Twilio may have shortened the links."""
    parts = _LINK.split(text)
    links = [f"(?:{re.escape(link)}|{_SHORT_LINK})" for link in _LINK.findall(text)]
    return "".join(re.escape(part) + link for part, link in zip(parts, [*links, ""], strict=True))


def _contains_all(text: str, values: Collection[str]) -> bool:
    """Return whether the text contains every value, without overlaps.

    The longest value takes its first free position, and so on. In the rare text where only another
    choice leaves room for all values, nothing matches.
    """
    if sum(len(value) for value in values if _is_distinctive(value)) < MIN_DISTINCTIVE_CHARACTERS:
        return False
    for value in sorted(values, key=len, reverse=True):
        span = _position(value, text)
        if span is None:
            return False
        text = f"{text[: span[0]]}\0{text[span[1] :]}"
    return True


def _is_distinctive(value: str) -> bool:
    """Return whether a value's length counts: not if it is short and its words are unbounded."""
    is_unbounded = _is_without_spaces(value[:1]) or _is_without_spaces(value[-1:])
    return len(value) >= MIN_UNBOUNDED_CHARACTERS or not is_unbounded


def _position(value: str, text: str) -> tuple[int, int] | None:
    """Return start and end of a value's first place as whole words: "Also" does not contain "Al".

    In a script without spaces, word boundaries are unknown: any position is one, except between a
    letter and its mark.
    """
    spans = (found.span(1) for found in re.finditer(f"(?=({_pattern(value)}))", text))
    return next(((s, e) for s, e in spans if _is_boundary(text, s) and _is_boundary(text, e)), None)


def _is_boundary(text: str, position: int) -> bool:
    """Return whether no word extends across a position."""
    before, after = text[position - 1 : position], text[position : position + 1]
    if not (_is_word_character(before) and _is_word_character(after)):
        return True
    return not _is_mark(after) and (_is_without_spaces(before) or _is_without_spaces(after))


def _is_word_character(character: str) -> bool:
    # Includes marks: in many scripts a word's vowels are marks on its letters.
    return bool(character) and (character.isalnum() or character == "_" or _is_mark(character))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _is_without_spaces(character: str) -> bool:
    """Return whether a letter's script has no spaces between words."""
    name = unicodedata.name(character, "") if character else ""
    return re.split("[ -]", name, maxsplit=1)[0] in SCRIPTS_WITHOUT_SPACES


def _normalized(text: str) -> str:
    return _WHITESPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()
