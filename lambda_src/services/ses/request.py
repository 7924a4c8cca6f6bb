"""What SES requires of a context object, and the parameters of SendEmail for one message.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

import re
from email.header import Header
from email.utils import quote
from html import escape
from typing import TYPE_CHECKING, Any

from lambda_src.core import Problem, TextFormat, encode_reference, json_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_src.core import ContextObject, OutgoingMessage

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
LONGEST_INTENT_ID = "x" * 22
"""As long as an id of 128 bits; the headers' length is checked before there is an id."""

_ADDRESS = TextFormat(re.compile(EMAIL_PATTERN), EMAIL_WORDS)
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
_CONFIG = "company_data_payload.channel_config.email"
_SETTINGS = {
    "company_email_name": _NAME,
    "reply_to": _ADDRESS,
    "unsubscribe_url": _URL,
    "unsubscribe_mailto": _MAILTO,
}
_TAG_NAME = re.compile(r"(?!ses:)[A-Za-z0-9_-]{1,256}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}']")


def problems_of(context: ContextObject) -> Iterator[Problem]:
    """Yield what SES does not take of a context object.

    The tenant's configuration of the channel may have `company_email_name`, `reply_to`,
    `unsubscribe_url`, `unsubscribe_mailto` and `tags`.
    """
    config = context.channel_config
    yield from _mismatch("company_data_payload.company_id", context.tenant, _TENANT)
    if config.get("company_email_name") is None:
        name = " ".join(context.company_name.split())
        yield from _mismatch("company_data_payload.company_name", name, _NAME)
    found = [
        problem
        for name, form in _SETTINGS.items()
        if config.get(name) is not None
        for problem in _mismatch(f"{_CONFIG}.{name}", config[name], form)
    ]
    yield from found
    if not found:
        token = f"{encode_reference(context.key.conversation_id)}.{LONGEST_INTENT_ID}"
        length = len(_unsubscribe_links(config, token))
        if length > MAX_HEADER_LENGTH:
            yield _problem(
                f"{_CONFIG}.unsubscribe_url",
                f"with unsubscribe_mailto and the token at most {MAX_HEADER_LENGTH} characters",
                str(length),
            )
    yield from _problems_of_tags(config.get("tags") or {})


def send_email_parameters(message: OutgoingMessage, configuration_set: str) -> dict[str, Any]:
    """Return the parameters with which SES sends a message.

    Args:
        message: The message; its variables are `subject` and `text`.
        configuration_set: The configuration set whose event destination reports the delivery.
    """
    config, text = message.channel_config, message.variables["text"]
    content = {
        "Subject": _utf8(" ".join(message.variables["subject"].split())),
        "Body": {"Text": _utf8(text), "Html": _utf8(as_html(text))},
        "Headers": [
            {"Name": name, "Value": value} for name, value in _unsubscribe_headers(message)
        ],
    }
    tags = {
        CONVERSATION_TAG: encode_reference(message.conversation_id),
        INTENT_TAG: message.intent_id,
        **(config.get("tags") or {}),
    }
    return {
        "FromEmailAddress": _from(message),
        "Destination": {"ToAddresses": [message.recipient]},
        "ReplyToAddresses": [config["reply_to"]] if config.get("reply_to") else [],
        "Content": {"Simple": content},
        "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
        "ConfigurationSetName": configuration_set,
        "TenantName": message.tenant,
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
    name = message.channel_config.get("company_email_name") or message.company_name
    name = " ".join(name.split())
    if name.isascii():
        return f'"{quote(name)}" <{message.sender}>'
    return f"{Header(name, 'utf-8').encode(linesep='')} <{message.sender}>"


def _unsubscribe_headers(message: OutgoingMessage) -> Iterator[tuple[str, str]]:
    links = _unsubscribe_links(message.channel_config, unsubscribe_token(message))
    if links:
        yield "List-Unsubscribe", links
    if message.channel_config.get("unsubscribe_url"):  # RFC 8058
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _unsubscribe_links(config: Mapping[str, Any], token: str) -> str:
    url, mailto = config.get("unsubscribe_url"), config.get("unsubscribe_mailto")
    links = ([f"<{url}>"] if url else []) + ([f"<mailto:{mailto}>"] if mailto else [])
    return ", ".join(links).replace(TOKEN, token)


def _problems_of_tags(tags: object) -> Iterator[Problem]:
    expected = "an object of names and values in SES's characters, without conversation and intent"
    if not isinstance(tags, dict):
        yield _problem(f"{_CONFIG}.tags", expected, json_type(tags))
        return
    for name, value in tags.items():
        is_valid = (
            name not in {CONVERSATION_TAG, INTENT_TAG}
            and _TAG_NAME.fullmatch(name)
            and isinstance(value, str)
            and _TAG_VALUE.fullmatch(value)
        )
        if not is_valid:
            yield _problem(f"{_CONFIG}.tags", expected, "another name or value")
            return


def _mismatch(field: str, value: object, form: TextFormat) -> Iterator[Problem]:
    if not isinstance(value, str) or not form.pattern.fullmatch(value):
        found = "other text" if value and isinstance(value, str) else json_type(value)
        yield _problem(field, form.description, found)


def _problem(field: str, expected: str, found: str) -> Problem:
    return Problem("email_configuration_invalid", field, expected, found)


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
