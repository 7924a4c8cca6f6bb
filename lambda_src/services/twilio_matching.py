"""Whether a message that Twilio lists is the one that was announced.

Twilio lists a message with its text as the recipient reads it, a template's variables filled in,
and without the template or the variables. So a template message can be told only by the values
that its text holds. A wrong 'not found' costs an alarm and a person's time, a wrong 'found' loses a
message: in doubt nothing matches.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from lambda_src.core.message import OutgoingMessage

LEAST_TELLING = 20
"""Characters that a template's values have together at least: fewer, such as a first name, stand
in any other message to the same person too."""
LEAST_UNBOUNDED = 10
"""Characters that a value must have to count among those where no blanks bound its words: fewer may
be a part of any longer word."""

SCRIPTS_WITHOUT_BLANKS = frozenset(
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
"""How Unicode's names of the letters begin whose scripts put no blanks between words."""

_SPACES = re.compile(r"\s+")


def is_same(listed: str, message: OutgoingMessage) -> bool:
    """Whether a listed text is that message's.

    Both are compared as they read: composed (NFC), with any white space as one blank.

    Args:
        listed: The text of an outbound message, as Twilio lists it.
        message: The message; with variables it was sent by a template, else as its body.
    """
    text = _folded(listed)
    if message.variables:
        return _holds(text, [_folded(value) for value in message.variables.values()])
    return bool(text) and text == _folded(message.body)


def _holds(text: str, values: Collection[str]) -> bool:
    """Whether every value stands in the text, each in a place of its own.

    The longest value takes the first place that is free, and so on: in the rare text where another
    choice would have left room for all, nothing matches.
    """
    if sum(len(value) for value in values if _tells(value)) < LEAST_TELLING:
        return False
    for value in sorted(values, key=len, reverse=True):
        start = _place(value, text)
        if start is None:
            return False
        text = f"{text[:start]}\0{text[start + len(value) :]}"
    return True


def _tells(value: str) -> bool:
    """Whether a value's length counts: not that of a short one whose words nothing bounds."""
    is_unbounded = _has_no_blanks(value[:1]) or _has_no_blanks(value[-1:])
    return len(value) >= LEAST_UNBOUNDED or not is_unbounded


def _place(value: str, text: str) -> int | None:
    """Where a value first stands in a text as whole words; "Al" does not stand in "Also".

    Where a script puts no blanks between words, a text does not tell where one ends: there any two
    letters are parted, and only a letter and its mark are not.
    """
    starts = (found.start() for found in re.finditer(f"(?={re.escape(value)})", text))
    return next((s for s in starts if _parts(text, s) and _parts(text, s + len(value))), None)


def _parts(text: str, position: int) -> bool:
    """Whether no word goes on across a position."""
    before, after = text[position - 1 : position], text[position : position + 1]
    if not (_in_word(before) and _in_word(after)):
        return True
    return not _is_mark(after) and (_has_no_blanks(before) or _has_no_blanks(after))


def _in_word(character: str) -> bool:
    # Marks as well: in many scripts a word's vowels are marks upon its letters.
    return bool(character) and (character.isalnum() or character == "_" or _is_mark(character))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _has_no_blanks(character: str) -> bool:
    """Whether a letter's script puts no blanks between words."""
    script = re.split("[ -]", unicodedata.name(character, ""), maxsplit=1) if character else [""]
    return script[0] in SCRIPTS_WITHOUT_BLANKS


def _folded(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()
