"""SMS through Twilio: from a number or a messaging service, in segments that are paid singly."""

from lambda_src.core.channel_parts import PHONE, AddressForm, Addressing, ChannelParts
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.settings import Settings
from lambda_src.core.text_rules import MAX_BODY, Limit, TextRules
from lambda_src.services.secret_forms import twilio_credentials
from lambda_src.services.twilio_errors import Refusal
from lambda_src.services.twilio_service import IMPORTED_LATE, TwilioSender

MAX_SEGMENTS = 4
"""What one message may cost at most; Twilio advises against more than 320 characters."""

SENDER = AddressForm(
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
"""Characters that take two places."""

PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚′`´", "'"),
        **dict.fromkeys("“”„″«»", '"'),
        **dict.fromkeys("‐‑‒–—−", "-"),
        **dict.fromkeys("\t\u00a0\u2009\u202f", " "),
        "…": "...",
        "•": "-",
    }
)
"""Typographic characters, one of which would make the whole message cost twice as much."""

_NOT_SET_UP = Refusal("the messaging service or its senders are not set up", alarm=True)
_WRONG_SENDER = Refusal("the sender is not the account's, or cannot send SMS", alarm=True)
_UNREACHABLE = Refusal("the recipient's phone takes no SMS, or cannot be reached")
REFUSALS = {
    **dict.fromkeys((21701, 21703, 21704, 21705), _NOT_SET_UP),
    **dict.fromkeys((21659, 21660, 21661), _WRONG_SENDER),
    30034: Refusal("the sender is not registered for messages to the United States", alarm=True),
    **dict.fromkeys((21635, 30003, 30005, 30006), _UNREACHABLE),
    30004: Refusal("the recipient or the carrier blocks messages of the sender"),
    30007: Refusal("Twilio or the carrier took the message for spam"),
}
"""Codes of Twilio's error dictionary that WhatsApp never meets; most of those from 30000 on reach
the status callback instead, once the message was accepted."""


def segments(text: str) -> int:
    """How many SMS a text is sent and billed as.

    160 places of GSM-7 or, once a character stands outside it, 70 of UCS-2; in several segments 153
    or 67 each, and no character is split (https://www.twilio.com/docs/glossary/what-sms-character-limit).
    """
    if set(text) <= GSM_7 | GSM_7_ESCAPED:
        return _packed([1 + (character in GSM_7_ESCAPED) for character in text], 160, 153)
    return _packed([1 + (character > "\uffff") for character in text], 70, 67)


def _packed(places: list[int], single: int, several: int) -> int:
    if sum(places) <= single:
        return 1
    count, room = 1, several
    for taken in places:
        if taken > room:
            count, room = count + 1, several
        room -= taken
    return count


def spell(text: str) -> str:
    """A text without the typographic characters that SMS has plain ones for."""
    return text.translate(PLAIN)


def addresses(message: OutgoingMessage) -> dict[str, str]:
    """Whom a message is from and to, as Twilio's API calls it."""
    is_service = message.sender.startswith("MG")
    return {
        "to": message.recipient,
        "messaging_service_sid" if is_service else "from_": message.sender,
    }


def make_sender(settings: Settings) -> TwilioSender:
    """The channel's sender."""
    return TwilioSender(
        settings.twilio_timeout_seconds, settings.twilio_base_url, addresses, REFUSALS
    )


_AFFORDABLE = Limit(MAX_SEGMENTS, "segments", segments)

PARTS = ChannelParts(
    make_sender=make_sender,
    read_credentials=twilio_credentials,
    addressing=Addressing(sender=SENDER),
    text_rules=TextRules(
        spell=spell, body=(Limit(MAX_BODY), _AFFORDABLE), variables=(Limit(MAX_BODY), _AFFORDABLE)
    ),
    imported_late=IMPORTED_LATE,
)
