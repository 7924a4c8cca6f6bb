"""The channel's secrets: within its prefixes, in their documented form, cached with an expiry."""

from __future__ import annotations

import re
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import (
    GetParameterError,
    TransformParameterError,
)
from botocore.exceptions import ClientError

from lambda_src.core.errors import PermanentFailure, ProcessingError, Step, TransientFailure
from lambda_src.core.ports import TwilioCredentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_SECONDS = 300
"""How long a secret is used before it is read again."""

MISSING = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
"""Secrets Manager's errors for a secret that does not exist, or is being deleted."""

_ARN = re.compile(r"arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:(?P<name>.+)")
_ARN_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


def is_within(reference: str, prefixes: Sequence[str]) -> bool:
    """Whether a secret's name or ARN lies within one of the prefixes.

    A prefix ends at a part of the path: `a/b` owns `a/b` and `a/b/c`, and not `a/bc`.
    """
    arn = _ARN.fullmatch(reference)
    name = _ARN_SUFFIX.sub("", arn["name"]) if arn else reference
    if not _NAME.fullmatch(name) or any(part in {"", "..", "."} for part in name.split("/")):
        return False
    roots = (prefix.rstrip("/") for prefix in prefixes)
    owns_root = {prefix for prefix in prefixes if not prefix.endswith("/")}
    return name in owns_root or any(name.startswith(f"{root}/") for root in roots)


class ChannelSecrets:
    """Implements the port `Secrets` on Secrets Manager.

    Args:
        client: A Secrets Manager client.
        prefixes: What the channel owns; any other reference is refused before a call is made.
    """

    def __init__(self, client: SecretsManagerClient, prefixes: Sequence[str]) -> None:
        self._provider = SecretsProvider(boto3_client=client)
        self._prefixes = tuple(prefixes)
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """The OpenAI API key of `{"ai_api_key": "…"}`."""
        return _text(self._read(reference, fresh=fresh), "ai_api_key")

    def twilio(self, reference: str, *, fresh: bool = False) -> TwilioCredentials:
        """The credentials of `{"twilio_account_sid", "twilio_auth_token"}`, and the template's sid.

        `twilio_template_sid` is optional; without it the channel sends free text.
        """
        secret = self._read(reference, fresh=fresh)
        template = _text(secret, "twilio_template_sid") if "twilio_template_sid" in secret else None
        return TwilioCredentials(
            account_sid=_text(secret, "twilio_account_sid"),
            auth_token=_text(secret, "twilio_auth_token"),
            template_sid=template,
        )

    def _read(self, reference: str, *, fresh: bool) -> Mapping[str, Any]:
        if not is_within(reference, self._prefixes):
            raise PermanentFailure("secret_reference_refused", Step.SECRETS)
        with self._locks[reference]:  # a batch that starts cold asks once for each secret
            value = self._get(reference, fresh=fresh)
        if not isinstance(value, dict):
            raise _malformed("expected a JSON object")
        return value

    def _get(self, reference: str, *, fresh: bool) -> object:
        try:
            return self._provider.get(
                reference, max_age=MAX_AGE_SECONDS, transform="json", force_fetch=fresh
            )
        except TransformParameterError:
            # Without its cause: the decoder's error carries the secret's text.
            raise _malformed("expected a JSON object") from None
        except GetParameterError as error:
            raise _unreadable(error.__context__) from error


def _unreadable(cause: BaseException | None) -> ProcessingError:
    if isinstance(cause, KeyError):
        return _malformed("expected a JSON object as text, found a binary value")
    code = (
        cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
    )
    if code in MISSING:
        return PermanentFailure("secret_missing", Step.SECRETS)
    return TransientFailure("secrets_unavailable", Step.SECRETS, code)


def _text(secret: Mapping[str, Any], field: str) -> str:
    value = secret.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _malformed(f"expected a non-empty string as {field}")
    return value


def _malformed(detail: str) -> PermanentFailure:
    return PermanentFailure("secret_malformed", Step.SECRETS, detail)
