"""Validation of a request to send a message, with the checks that Twilio makes before it responds.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.fakes.twilio.errors import TwilioError

WHATSAPP = "whatsapp:"
MAX_BODY_LENGTH = 1600
MAX_RENDERED_LENGTH = 1024
MAX_VARIABLES = 100
SUPPORTED = frozenset(
    {"To", "From", "MessagingServiceSid", "Body", "ContentSid", "ContentVariables"}
    | {"StatusCallback"}
)
"""The parameters that the fake implements. Twilio has more and ignores unknown ones; the fake
rejects both, so that no parameter is sent without effect."""

_SERVICE = re.compile("MG[0-9a-fA-F]{32}")
_ADDRESS = re.compile(r"(whatsapp:)?\+[1-9][0-9]{6,14}")
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_WHITE_SPACE = re.compile(r"\s")
_FORBIDDEN = re.compile(r"[\n\r\t]| {5}")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A valid request to send a message.

    Attributes:
        to: Recipient's address: E.164, with the prefix `whatsapp:` on WhatsApp.
        sender: Sender's address in the same format.
        body: Text as the recipient reads it.
        service: Sid of the messaging service that chose the sender; empty if none did.
        status_callback: URL for status callbacks, with its fragment; empty if none was given.
    """

    to: str
    sender: str
    body: str
    service: str = ""
    status_callback: str = ""


def parse_send_request(
    form: Mapping[str, str], templates: Mapping[str, str], services: Mapping[str, Sequence[str]]
) -> SendRequest:
    """Return the validated request.

    Args:
        form: The request's parameters.
        templates: Text of each content template, with placeholders, by its sid.
        services: The senders of each messaging service by its sid.

    Raises:
        TwilioError: A parameter is unknown, missing or invalid.
    """
    unknown = form.keys() - SUPPORTED
    if unknown:
        raise TwilioError(20001, ", ".join(sorted(unknown)))
    to, service = form.get("To", ""), form.get("MessagingServiceSid", "")
    if not to:
        raise TwilioError(21604)
    sender = _service_sender(service, services) if service else form.get("From", "")
    if not sender:
        raise TwilioError(21603)
    _check_addresses(to, sender)
    status_callback = form.get("StatusCallback", "")
    if status_callback:
        _check_url(status_callback)
    return SendRequest(to, sender, _body(form, templates), service, status_callback)


def is_whatsapp(address: str) -> bool:
    """Return whether an address belongs to the WhatsApp channel."""
    return address.startswith(WHATSAPP)


def number_of(address: str) -> str:
    """Return the bare E.164 number of an address."""
    return address.removeprefix(WHATSAPP)


def _service_sender(service: str, services: Mapping[str, Sequence[str]]) -> str:
    if not _SERVICE.fullmatch(service):
        raise TwilioError(21705)
    if service not in services:
        raise TwilioError(21701)
    if not services[service]:
        raise TwilioError(21704)
    return services[service][0]


def _check_addresses(to: str, sender: str) -> None:
    # Like Twilio, repeat the number in the message, which a client must therefore not log.
    if not _ADDRESS.fullmatch(to):
        raise TwilioError(21211, to)
    if not _ADDRESS.fullmatch(sender):
        raise TwilioError(21212, sender)
    if is_whatsapp(to) != is_whatsapp(sender):
        raise TwilioError(21910)
    if to == sender:
        raise TwilioError(63031 if is_whatsapp(to) else 21266)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or _WHITE_SPACE.search(url):
        raise TwilioError(21609)


def _body(form: Mapping[str, str], templates: Mapping[str, str]) -> str:
    if "ContentSid" in form:
        return _rendered_template(form, templates)
    if "ContentVariables" in form:
        raise TwilioError(21654)
    if "Body" not in form:
        raise TwilioError(21619)
    if not form["Body"].strip():
        raise TwilioError(21602)
    if len(form["Body"]) > MAX_BODY_LENGTH:
        raise TwilioError(21617)
    return form["Body"]


def _rendered_template(form: Mapping[str, str], templates: Mapping[str, str]) -> str:
    # https://www.twilio.com/docs/content/using-variables-with-content-api and the pages of 21654,
    # 21655 and 21656. Templates here have no default values. A surplus value is rejected, too:
    # Twilio passes it on to WhatsApp, where a wrong number of parameters fails later.
    text = templates.get(form["ContentSid"])
    if text is None:
        raise TwilioError(21655)
    values = _variables(form.get("ContentVariables", "") or "{}")
    names = set(_PLACEHOLDER.findall(text))
    if names - values.keys():
        raise TwilioError(21656, "a placeholder has no value")
    if values.keys() - names:
        raise TwilioError(63028)
    body = _PLACEHOLDER.sub(lambda found: values[found[1]], text)
    if len(body) > MAX_RENDERED_LENGTH:
        raise TwilioError(63005, f"longer than {MAX_RENDERED_LENGTH} characters")
    return body


def _variables(content_variables: str) -> dict[str, str]:
    try:
        values = json.loads(content_variables)
    except ValueError as error:
        raise TwilioError(21656, "not JSON") from error
    if not isinstance(values, dict):
        raise TwilioError(21656, "not a JSON object")
    if len(values) > MAX_VARIABLES:
        raise TwilioError(21656, f"more than {MAX_VARIABLES} variables")
    for name, value in values.items():
        if not isinstance(value, str):
            raise TwilioError(21656, f"variable {name} is not a string")
        if not value.strip():
            raise TwilioError(21656, f"variable {name} is empty")
        if _FORBIDDEN.search(value):
            raise TwilioError(21656, f"variable {name} has a line break, a tab or many spaces")
    return values
