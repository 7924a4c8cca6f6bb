"""Who a message is from and to: plain E.164 numbers for SMS, `whatsapp:` before them for WhatsApp.

https://www.twilio.com/docs/messaging/api/message-resource, parameters To, From and
MessagingServiceSid. Of a messaging service, the first number of its pool sends.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local.stand_ins.twilio.directory import Directory
from local.stand_ins.twilio.errors import TwilioError

WHATSAPP = "whatsapp:"
_SERVICE = re.compile("MG[0-9a-fA-F]{32}")
_ADDRESS = re.compile(r"(whatsapp:)?\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Route:
    """Whom a message is to and from; `service` is the messaging service that chose the sender."""

    to: str
    sender: str
    service: str = ""


def checked_route(form: Mapping[str, str], directory: Directory) -> Route:
    """The addresses of a request, as given or as its messaging service has them.

    Raises:
        TwilioError: One is missing or malformed, or they do not go together.
    """
    to, service = form.get("To", ""), form.get("MessagingServiceSid", "")
    if not to:
        raise TwilioError(21604)
    sender = _of_service(service, directory) if service else form.get("From", "")
    if not sender:
        raise TwilioError(21603)
    _check_pair(to, sender, directory)
    return Route(to, sender, service)


def _of_service(service: str, directory: Directory) -> str:
    if not _SERVICE.fullmatch(service):
        raise TwilioError(21705)
    if service not in directory.services:
        raise TwilioError(21701)
    pool = directory.services[service]
    if not pool:
        raise TwilioError(21704)
    return pool[0]


def _check_pair(to: str, sender: str, directory: Directory) -> None:
    _check_form(to, sender)
    if is_whatsapp(to) != is_whatsapp(sender):
        raise TwilioError(21910)
    if to == sender:
        raise TwilioError(63031 if is_whatsapp(to) else 21266)
    if directory.senders is not None and sender not in directory.senders:
        raise TwilioError(63007 if is_whatsapp(sender) else 21606)


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
