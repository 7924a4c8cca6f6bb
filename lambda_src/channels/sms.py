"""SMS through Twilio: from a number or a messaging service, billed by segment."""

import unicodedata

from lambda_src.core import (
    PHONE,
    AddressFormat,
    Addressing,
    Limit,
    OutgoingMessage,
    TextRules,
)
from lambda_src.services.twilio.errors import Refusal
from lambda_src.services.twilio_channel import twilio_parts
from lambda_src.services.twilio_service import MAX_BODY_LENGTH

MAX_SEGMENTS = 4
"""Maximum cost of one message; Twilio advises against more than 320 characters."""

SENDER = AddressFormat(
    "sms_sender_malformed",
    rf"{PHONE.pattern}|MG[0-9a-fA-F]{{32}}",
    f"{PHONE.words}, or a messaging service's sid: MG and 32 hexadecimal digits",
)

# https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_ESCAPED = frozenset("^{}\\[~]|€")
"""Characters that are encoded as two septets."""
_IN_GSM_7 = GSM_7 | GSM_7_ESCAPED

# Twilio's list of characters that its messaging services replace
# (https://www.twilio.com/docs/messaging/services/smart-encoding-char-list), as far as Unicode's
# compatibility forms (fullwidth, small, ligatures, fractions, ellipsis) do not contain them.
REPLACEMENTS = {
    **dict.fromkeys("‘’‛′`´ʻˈʼʽʹˊˋ❛❜\u0313\u0314", "'"),
    **dict.fromkeys("“”„‟″«»ʺˮ❝❞〝〞〟", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃⎼⎽•·", "-"),
    **dict.fromkeys("⁄∕⧸\u0337\u0338", "/"),
    **dict.fromkeys("⧹⧵\u20e5", "\\"),
    **dict.fromkeys("∣⎸⎹⏐⎜⎟", "|"),
    **dict.fromkeys("‚、", ","),
    **dict.fromkeys("。", "."),
    **dict.fromkeys("ː˸⦂꞉", ":"),
    **dict.fromkeys("⁏", ";"),
    **dict.fromkeys("꞊", "="),
    **dict.fromkeys("ǃ", "!"),
    **dict.fromkeys("❨❪⟮⦅", "("),
    **dict.fromkeys("❩❫⟯⦆", ")"),
    **dict.fromkeys("❲⟦", "["),
    **dict.fromkeys("❳⟧", "]"),
    **dict.fromkeys("❴", "{"),
    **dict.fromkeys("❵", "}"),
    **dict.fromkeys("‹❮〈", "<"),
    **dict.fromkeys("›❯〉", ">"),
    **dict.fromkeys("⁎∗⊛✢✣✤✥✱✲✳✺✻✼✽❃❉❊❋", "*"),
    **dict.fromkeys("˖", "+"),
    **dict.fromkeys("ˆ", "^"),
    **dict.fromkeys("˜˷∼", "~"),
    "\t": " ",
}
"""Typographic characters; a single one would change the encoding and double the price."""
_MEANINGLESS = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
"""Zero-width spaces and soft hyphens, which have no meaning in any script."""

_NOT_SET_UP = Refusal("the messaging service or its senders are not set up", is_configuration=True)
_WRONG_SENDER = Refusal(
    "the sender is not the account's, or cannot send SMS", is_configuration=True
)
_UNREACHABLE = Refusal("the recipient's phone cannot receive SMS or is unreachable")
REFUSALS = {
    **dict.fromkeys((21701, 21703, 21704, 21705), _NOT_SET_UP),
    **dict.fromkeys((21659, 21660, 21661), _WRONG_SENDER),
    30034: Refusal(
        "the sender is not registered for messages to the United States", is_configuration=True
    ),
    **dict.fromkeys((21635, 30003, 30005, 30006), _UNREACHABLE),
    30004: Refusal("the recipient or the carrier blocks messages of the sender"),
    30007: Refusal("Twilio or the carrier classified the message as spam"),
}
"""Codes of Twilio's error dictionary that do not occur on WhatsApp. Most codes from 30000 on are
reported by the status callback instead, after the message was accepted."""


def segments(text: str) -> int:
    """Return how many segments a text is sent and billed as.

    A single segment has 160 septets of GSM-7 or, if any character is not in it, 70 code units of
    UCS-2; several segments have 153 or 67 each, and no character is split (https://www.twilio.com/docs/glossary/what-sms-character-limit).
    """
    if set(text) <= _IN_GSM_7:
        return _count_segments([1 + (character in GSM_7_ESCAPED) for character in text], 160, 153)
    return _count_segments([1 + (character > "\uffff") for character in text], 70, 67)


def _count_segments(widths: list[int], single: int, multi: int) -> int:
    if sum(widths) <= single:
        return 1
    count, free = 1, multi
    for width in widths:
        if width > free:
            count, free = count + 1, multi
        free -= width
    return count


def transliterate(text: str) -> str:
    """Return a text in which no invisible or typographic character costs a segment.

    If all such characters have plain equivalents, they are replaced. Otherwise (emoji, another
    script) the text is sent in UCS-2 anyway, and only composed (NFC) and freed of characters
    without a meaning.
    """
    composed = unicodedata.normalize("NFC", text)
    plain = "".join(map(_plain, composed))
    if set(plain) <= _IN_GSM_7:
        return plain
    return composed.translate(_MEANINGLESS)


def _plain(character: str) -> str:
    """Return a character's equivalent in GSM-7; the character itself if it has none."""
    if character in _IN_GSM_7:
        return character
    match unicodedata.category(character):
        case "Cf":  # zero-width characters, and marks of the writing direction
            return ""
        case "Zs":
            return " "
    compatible = unicodedata.normalize("NFKC", REPLACEMENTS.get(character, character))
    return "".join(REPLACEMENTS.get(part, part) for part in compatible)


def addresses(message: OutgoingMessage) -> dict[str, str]:
    """Return a message's sender and recipient as parameters of Twilio's API."""
    is_service = message.sender.startswith("MG")
    return {
        "to": message.recipient,
        "messaging_service_sid" if is_service else "from_": message.sender,
    }


_SEGMENT_LIMIT = Limit(MAX_SEGMENTS, "segments", segments)

PARTS = twilio_parts(
    addresses,
    addressing=Addressing(sender=SENDER),
    text_rules=TextRules(
        transliterate=transliterate,
        body=(Limit(MAX_BODY_LENGTH), _SEGMENT_LIMIT),
        variables=(Limit(MAX_BODY_LENGTH), _SEGMENT_LIMIT),
    ),
    refusals=REFUSALS,
)
