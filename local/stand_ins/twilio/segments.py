"""How many SMS a text takes.

https://www.twilio.com/docs/glossary/what-sms-character-limit: 160 characters of GSM-7, 153 of
each part when there are several; 70 and 67 when one character stands outside GSM-7 (UCS-2).
"""

import math

_GSM7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_ESCAPED = "^{}\\[~]|€"


def segment_count(text: str) -> int:
    """The number of SMS that a text takes; 0 for an empty one."""
    if all(character in _GSM7_BASIC or character in _GSM7_ESCAPED for character in text):
        return _parts(sum(2 if c in _GSM7_ESCAPED else 1 for c in text), single=160, several=153)
    return _parts(len(text.encode("utf-16-be")) // 2, single=70, several=67)


def _parts(length: int, *, single: int, several: int) -> int:
    return min(length, 1) if length <= single else math.ceil(length / several)
