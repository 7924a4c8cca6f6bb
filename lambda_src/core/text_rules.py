"""How a channel spells its texts, and how long they may be."""

from collections.abc import Callable
from dataclasses import dataclass

MAX_BODY = 1600
"""Characters of a free-text message (Twilio error 21617)."""
MAX_RENDERED = 1024
"""Characters of a rendered WhatsApp template; its variables alone must stay below that."""


def units(text: str) -> int:
    """Length of a text as Twilio counts it: in UTF-16 code units, an emoji being two or more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many of a unit, which `count` counts in a text."""

    most: int
    unit: str = "characters"
    count: Callable[[str], int] = units

    def excess(self, text: str) -> str | None:
        """What is too much of a text, in numbers and words; None where nothing is."""
        found = self.count(text)
        return f"{found} {self.unit}, {self.most} are allowed" if found > self.most else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """What a channel makes of the AI's texts before they are kept and sent.

    Attributes:
        spell: Puts a text into letters that suit the channel; what it gives, it leaves as it is.
        body: How long a free text may be.
        variables: How long the values of a template's variables may be, one after the other.
    """

    spell: Callable[[str], str] = str
    body: tuple[Limit, ...] = (Limit(MAX_BODY),)
    variables: tuple[Limit, ...] = (Limit(MAX_RENDERED),)


TWILIO = TextRules()
"""What Twilio takes whatever the channel, a template being as short as WhatsApp wants it."""
