"""The documented forms of the channel's secrets, and what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.core.errors import PermanentFailure, Step

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Form:
    """What a field's text looks like, as a pattern and in words."""

    pattern: re.Pattern[str]
    words: str


@dataclass(frozen=True, slots=True)
class TwilioCredentials:
    """A tenant's Twilio account; without a template the channel sends free text."""

    account_sid: str
    auth_token: str
    template_sid: str | None


# HTTP headers carry them: blanks and other letters would fail there, at every message anew.
TOKEN = Form(re.compile(r"[!-~]+"), "printable ASCII characters without blanks")
ACCOUNT_SID = Form(re.compile(r"AC[0-9a-fA-F]{32}"), "AC and 32 hexadecimal digits")
TEMPLATE_SID = Form(re.compile(r"HX[0-9a-fA-F]{32}"), "HX and 32 hexadecimal digits")


def openai_key(secret: object) -> str:
    """The API key of `{"ai_api_key": "…"}`.

    Args:
        secret: The secret's JSON, read.

    Raises:
        PermanentFailure: It is not of that form; neither here nor below does the error name a
            value.
    """
    return _text(_fields(secret), "ai_api_key", TOKEN)


def twilio_credentials(secret: object) -> TwilioCredentials:
    """The credentials of `{"twilio_account_sid", "twilio_auth_token"}`, and the template's sid.

    `twilio_template_sid` is optional; without it the channel sends free text. White space around a
    value, as copied along with it, is left out.

    Args:
        secret: The secret's JSON, read.

    Raises:
        PermanentFailure: It is not of that form.
    """
    fields = _fields(secret)
    has_template = "twilio_template_sid" in fields
    return TwilioCredentials(
        account_sid=_text(fields, "twilio_account_sid", ACCOUNT_SID),
        auth_token=_text(fields, "twilio_auth_token", TOKEN),
        template_sid=_text(fields, "twilio_template_sid", TEMPLATE_SID) if has_template else None,
    )


def malformed(expected: str, found: str) -> PermanentFailure:
    """The error for a secret that is not in its documented form; `found` is a kind, no value."""
    return PermanentFailure("secret_malformed", Step.SECRETS, f"expected {expected}, found {found}")


def _fields(secret: object) -> Mapping[str, Any]:
    if not isinstance(secret, dict):
        raise malformed("a JSON object", type(secret).__name__)
    return secret


def _text(fields: Mapping[str, Any], name: str, form: Form) -> str:
    value = fields.get(name)
    text = value.strip() if isinstance(value, str) else ""
    if not form.pattern.fullmatch(text):
        raise malformed(f"{name} to be {form.words}", _kind(value))
    return text


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "another text" if value.strip() else "an empty text"
    return type(value).__name__
