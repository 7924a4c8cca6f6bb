"""What a request to send a message must hold: the checks that Twilio makes before it answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.stand_ins.twilio.addresses import checked_route
from local.stand_ins.twilio.directory import Directory
from local.stand_ins.twilio.errors import TwilioError
from local.stand_ins.twilio.templates import rendered

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

MAX_BODY = 1600
MAX_MEDIA = 10
SUPPORTED = frozenset(
    {
        "To",
        "From",
        "MessagingServiceSid",
        "Body",
        "MediaUrl",
        "ContentSid",
        "ContentVariables",
        "StatusCallback",
    }
)
"""Parameters that the stand-in understands. Twilio knows more, and ignores what it does not know;
here both are refused, so that nobody believes in a parameter without effect."""


@dataclass(frozen=True, slots=True)
class Order:
    """A message that may be sent.

    Attributes:
        to: Recipient's address.
        sender: Sender's address.
        body: Text as the recipient reads it; empty when there is only media.
        media_count: How many media it carries.
        service: The messaging service that chose the sender; empty if none did.
    """

    to: str
    sender: str
    body: str
    media_count: int
    service: str = ""


def checked_order(form: "MultiDict[str, str]", directory: Directory) -> Order:
    """The message that a request's parameters order.

    Raises:
        TwilioError: The parameters are wrong.
    """
    unknown = form.keys() - SUPPORTED
    if unknown:
        raise TwilioError(20001, ", ".join(sorted(unknown)))
    route = checked_route(form, directory)
    _check_callback(form.get("StatusCallback"))
    media = form.getlist("MediaUrl")
    _check_media(media)
    return Order(route.to, route.sender, _body(form, directory), len(media), route.service)


def _body(form: "MultiDict[str, str]", directory: Directory) -> str:
    if "ContentSid" in form:
        return rendered(form, directory.templates)
    if "ContentVariables" in form:
        raise TwilioError(21654)
    if "Body" not in form and "MediaUrl" not in form:
        raise TwilioError(21619)
    body = form.get("Body", "")
    if not body.strip() and "MediaUrl" not in form:
        raise TwilioError(21602)
    if len(body) > MAX_BODY:
        raise TwilioError(21617)
    return body


def _check_callback(url: str | None) -> None:
    if url is not None and not _is_web_address(url):
        raise TwilioError(21609)


def _check_media(urls: list[str]) -> None:
    if len(urls) > MAX_MEDIA or not all(map(_is_web_address, urls)):
        raise TwilioError(21620)


def _is_web_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
