"""The documented schemas of the channel's secrets; no error contains a value."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.core import ConfigurationRefused, Step, TextFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef


@dataclass(frozen=True, slots=True)
class TwilioCredentials:
    """A tenant's Twilio account; without a template the channel sends free text.

    An API key has precedence over the auth token, which may be empty then.
    """

    account_sid: str
    auth_token: str
    template_id: str | None
    api_key_sid: str = ""
    api_key_secret: str = ""

    @property
    def login(self) -> tuple[str, str]:
        """User name and password of the requests."""
        if self.api_key_sid:
            return self.api_key_sid, self.api_key_secret
        return self.account_sid, self.auth_token


# HTTP headers carry these values, so any other character would fail at every request.
TOKEN = TextFormat(re.compile(r"[!-~]+"), "printable ASCII characters without blanks")
ACCOUNT_SID = TextFormat(re.compile(r"AC[0-9a-fA-F]{32}"), "AC and 32 hexadecimal digits")
API_KEY_SID = TextFormat(re.compile(r"SK[0-9a-fA-F]{32}"), "SK and 32 hexadecimal digits")
TEMPLATE_SID = TextFormat(re.compile(r"HX[0-9a-fA-F]{32}"), "HX and 32 hexadecimal digits")


def parse_secret(value: str | bytes) -> object:
    """Parse a secret's value as JSON; a byte order mark and UTF-16 are accepted.

    Raises:
        ConfigurationRefused: It is not JSON; the error does not quote the value.
    """
    try:
        # The decoder itself detects the encoding of bytes, but refuses a mark in a text.
        return json.loads(value.removeprefix("\ufeff") if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        # Without its cause: the decoder's error contains the secret's text.
        raise invalid_secret("a JSON object", "other text") from None


def stored_secret(response: GetSecretValueResponseTypeDef) -> object:
    """Parse the value in Secrets Manager's response, which is a text or binary.

    Raises:
        ConfigurationRefused: It is not JSON; the error does not quote the value.
    """
    return parse_secret(response.get("SecretString") or response.get("SecretBinary", b""))


def openai_key(secret: object) -> str:
    """Return the API key of `{"ai_api_key": "…"}`.

    Args:
        secret: The secret's parsed JSON.

    Raises:
        ConfigurationRefused: The secret is invalid.
    """
    return _text(_fields(secret), "ai_api_key", TOKEN)


def twilio_credentials(secret: object) -> TwilioCredentials:
    """Return the credentials of a tenant's Twilio secret, without surrounding white space.

    The fields are `twilio_account_sid`, an API key as `twilio_api_key_sid` and
    `twilio_api_key_secret` or the account's `twilio_auth_token`, and optionally
    `twilio_template_sid`.

    Args:
        secret: The secret's parsed JSON.

    Raises:
        ConfigurationRefused: The secret is invalid.
    """
    fields = _fields(secret)
    has_template = "twilio_template_sid" in fields
    has_api_key = "twilio_api_key_sid" in fields or "twilio_api_key_secret" in fields
    has_token = "twilio_auth_token" in fields or not has_api_key
    return TwilioCredentials(
        account_sid=_text(fields, "twilio_account_sid", ACCOUNT_SID),
        auth_token=_text(fields, "twilio_auth_token", TOKEN) if has_token else "",
        template_id=_text(fields, "twilio_template_sid", TEMPLATE_SID) if has_template else None,
        api_key_sid=_text(fields, "twilio_api_key_sid", API_KEY_SID) if has_api_key else "",
        api_key_secret=_text(fields, "twilio_api_key_secret", TOKEN) if has_api_key else "",
    )


def invalid_secret(expected: str, found: str) -> ConfigurationRefused:
    """Return the error of a secret that does not match its schema; `found` is not a value."""
    detail = f"expected {expected}, found {found}"
    return ConfigurationRefused("secret_malformed", Step.SECRETS, detail)


def _fields(secret: object) -> Mapping[str, Any]:
    if not isinstance(secret, dict):
        raise invalid_secret("a JSON object", type(secret).__name__)
    return secret


def _text(fields: Mapping[str, Any], name: str, text_format: TextFormat) -> str:
    value = fields.get(name)
    text = value.strip() if isinstance(value, str) else ""
    if not text_format.pattern.fullmatch(text):
        raise invalid_secret(f"{name} to be {text_format.description}", _kind(value))
    return text


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "another text" if value.strip() else "an empty text"
    return type(value).__name__
