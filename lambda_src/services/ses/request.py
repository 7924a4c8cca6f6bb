"""The parameters of SES's SendEmail for one message.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

import re
from email.header import Header
from email.utils import quote
from html import escape
from typing import TYPE_CHECKING, Any

from lambda_src.core import PermanentFailure, Step, TextFormat, encode_reference, json_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_src.core import OutgoingMessage

EMAIL_PATTERN = (
    r"(?=.{6,254}\Z)(?=[^@]{1,64}@)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
"""SES takes ASCII only: no SMTPUTF8, and a domain's other characters as Punycode."""
EMAIL_WORDS = "an e-mail address in ASCII: name@example.com"
TOKEN = "{token}"  # noqa: S105 - a placeholder
CONVERSATION_TAG, INTENT_TAG = "conversation", "intent"
MAX_HEADER_LENGTH = 995

_ADDRESS = TextFormat(re.compile(EMAIL_PATTERN), EMAIL_WORDS)
_TEXT = TextFormat(re.compile(r"(?s).*\S.*"), "a text")
_NAME = TextFormat(re.compile(r"[^\x00-\x1f\x7f]{1,128}"), "1 to 128 characters in one line")
_TENANT = TextFormat(
    re.compile(r"[A-Za-z0-9_-]{1,64}"), "1 to 64 ASCII letters, digits, hyphens and underscores"
)
_URL = TextFormat(
    re.compile(r"https://[!-;=?-~]*\{token\}[!-;=?-~]*"), "an https URL with the part {token}"
)
_MAILTO = TextFormat(
    re.compile(r"[!-;=?-~]+@[!-;=?-~]+"),
    "an e-mail address, possibly with a query such as ?subject={token}",
)
_TAG_NAME = re.compile(r"(?!ses:)[A-Za-z0-9_-]{1,256}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}']")


def send_email_parameters(message: OutgoingMessage, configuration_set: str) -> dict[str, Any]:
    """Return the parameters with which SES sends a message.

    Args:
        message: The message; its variables are `subject` and `text`.
        configuration_set: The configuration set whose event destination reports the delivery.

    Raises:
        PermanentFailure: The tenant's configuration of the channel is not in the documented form.
    """
    subject, text = (
        _checked(message.variables.get(name), f"the answer's {name}", _TEXT)
        for name in ("subject", "text")
    )
    reply_to = _setting(message.channel_config, "reply_to", _ADDRESS)
    content = {
        "Subject": _utf8(" ".join(subject.split())),
        "Body": {"Text": _utf8(text), "Html": _utf8(as_html(text))},
        "Headers": [
            {"Name": name, "Value": value} for name, value in _unsubscribe_headers(message)
        ],
    }
    return {
        "FromEmailAddress": _from(message),
        "Destination": {"ToAddresses": [message.recipient]},
        "ReplyToAddresses": [reply_to] if reply_to else [],
        "Content": {"Simple": content},
        "EmailTags": [{"Name": name, "Value": value} for name, value in _tags(message)],
        "ConfigurationSetName": configuration_set,
        "TenantName": _checked(message.tenant, "company_data_payload.company_id", _TENANT),
    }


def unsubscribe_token(message: OutgoingMessage) -> str:
    """Return what identifies the recipient to the company's unsubscribing service.

    It is the conversation's reference and the id of the send, which is random and stored in the
    record: no other conversation's token can be guessed, and the address is not part of it. The
    service decodes the conversation id, and compares the other part with the record's `intent_ids`.
    """
    return f"{encode_reference(message.conversation_id)}.{message.intent_id}"


def as_html(text: str) -> str:
    """Return a plain text as HTML: its paragraphs, lines and links, and nothing else."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "".join(
        ['<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>']
        + [f'<p dir="auto">{_lines(paragraph)}</p>' for paragraph in paragraphs]
        + ["</body></html>"]
    )


def _lines(paragraph: str) -> str:
    parts, end = [], 0
    for link in _LINK.finditer(paragraph):
        parts.append(escape(paragraph[end : link.start()]))
        parts.append(f'<a href="{escape(link[0])}">{escape(link[0])}</a>')
        end = link.end()
    return "".join([*parts, escape(paragraph[end:])]).replace("\n", "<br>\n")


def _from(message: OutgoingMessage) -> str:
    name = _setting(message.channel_config, "company_email_name", _NAME)
    name = name or _checked(" ".join(message.company_name.split()), "company_name", _NAME)
    if name.isascii():
        return f'"{quote(name)}" <{message.sender}>'
    return f"{Header(name, 'utf-8').encode(linesep='')} <{message.sender}>"


def _unsubscribe_headers(message: OutgoingMessage) -> Iterator[tuple[str, str]]:
    url = _setting(message.channel_config, "unsubscribe_url", _URL)
    mailto = _setting(message.channel_config, "unsubscribe_mailto", _MAILTO)
    links = ([f"<{url}>"] if url else []) + ([f"<mailto:{mailto}>"] if mailto else [])
    if not links:
        return
    value = ", ".join(links).replace(TOKEN, unsubscribe_token(message))
    if len(value) > MAX_HEADER_LENGTH:
        raise _invalid(
            "unsubscribe_url",
            f"with unsubscribe_mailto and the token at most {MAX_HEADER_LENGTH} characters",
            f"{len(value)}",
        )
    yield "List-Unsubscribe", value
    if url:  # RFC 8058
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _tags(message: OutgoingMessage) -> Iterator[tuple[str, str]]:
    own = {
        CONVERSATION_TAG: encode_reference(message.conversation_id),
        INTENT_TAG: message.intent_id,
    }
    tags = message.channel_config.get("tags") or {}
    expected = "an object of names and values in SES's characters, without conversation and intent"
    if not isinstance(tags, dict):
        raise _invalid("tags", expected, json_type(tags))
    for name, value in tags.items():
        is_valid = (
            name not in own
            and _TAG_NAME.fullmatch(name)
            and isinstance(value, str)
            and _TAG_VALUE.fullmatch(value)
        )
        if not is_valid:
            raise _invalid("tags", expected, "another name or value")
    yield from own.items()
    yield from tags.items()


def _setting(config: Mapping[str, Any], name: str, form: TextFormat) -> str:
    """Return an optional text of the tenant's configuration; empty if there is none."""
    value = config.get(name)
    return _checked(value, f"channel_config.email.{name}", form) if value is not None else ""


def _checked(value: object, field: str, form: TextFormat) -> str:
    if isinstance(value, str) and form.pattern.fullmatch(value):
        return value
    found = "other text" if value and isinstance(value, str) else json_type(value)
    raise _invalid(field, form.description, found)


def _invalid(field: str, expected: str, found: str) -> PermanentFailure:
    # The message itself contains the value, so that a redelivery is refused again; so are all
    # messages of the tenant.
    detail = f"{field}: expected {expected}, found {found}"
    return PermanentFailure("email_configuration_invalid", Step.SEND, detail, alarm=True)


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
