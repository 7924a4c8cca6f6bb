"""Who a message is from and to: plain E.164 numbers for SMS, `whatsapp:` before them for WhatsApp.

https://www.twilio.com/docs/messaging/api/message-resource, parameters To and From.
"""

import re
from collections.abc import Collection, Mapping

from local.stand_ins.twilio.errors import TwilioError

WHATSAPP = "whatsapp:"
_ADDRESS = re.compile(r"(whatsapp:)?\+[1-9][0-9]{6,14}")


def checked_pair(form: Mapping[str, str], senders: Collection[str] | None) -> tuple[str, str]:
    """The addresses of a request.

    Args:
        form: The request's parameters.
        senders: Addresses that the account owns; None for any.

    Returns:
        To and From, as given.

    Raises:
        TwilioError: One is missing or malformed, or they do not go together.
    """
    to, sender = form.get("To", ""), form.get("From", "")
    if not to:
        raise TwilioError(21604)
    if not sender:
        raise TwilioError(21603)
    _check_form(to, sender)
    if is_whatsapp(to) != is_whatsapp(sender):
        raise TwilioError(21910)
    if to == sender:
        raise TwilioError(63031 if is_whatsapp(to) else 21266)
    if senders is not None and sender not in senders:
        raise TwilioError(63007 if is_whatsapp(sender) else 21606)
    return to, sender


def is_whatsapp(address: str) -> bool:
    """Whether an address is one of the WhatsApp channel."""
    return address.startswith(WHATSAPP)


def number_of(address: str) -> str:
    """The bare E.164 number of an address."""
    return address.removeprefix(WHATSAPP)


def _check_form(to: str, sender: str) -> None:
    # Twilio repeats the number in its message: whoever logs that message leaks it.
    if not _ADDRESS.fullmatch(to):
        raise TwilioError(21211, to)
    if not _ADDRESS.fullmatch(sender):
        raise TwilioError(21212, sender)
