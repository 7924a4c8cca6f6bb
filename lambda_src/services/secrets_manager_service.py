"""The channel's secrets: their schemas, and reading them from Secrets Manager.

Only references below the channel's prefixes are read. Values are cached, and concurrent messages
share one request. No error contains a value.
"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import (
    ConfigurationRefused,
    NoCredentials,
    PermanentFailure,
    Step,
    TextFormat,
    TransientFailure,
    call_aws,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef

    from lambda_src.core import Credentials

MAX_AGE_SECONDS = 300
"""How long a secret is cached."""

MISSING = {
    "ResourceNotFoundException": "",
    "InvalidRequestException": "the secret is scheduled for deletion",
}
"""Secrets Manager's codes for a secret that cannot be read, and details."""

_ARN = re.compile(r"arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:(?P<name>.+)")
_ARN_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")

T = TypeVar("T")


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


@lru_cache(1024)  # the references of a tenant are the same in each message
def is_within(reference: str, prefixes: tuple[str, ...]) -> bool:
    """Return whether a secret's name or ARN has one of the prefixes.

    A prefix ends at a path segment: `a/b` includes `a/b` and `a/b/c`, but not `a/bc`.
    """
    arn = _ARN.fullmatch(reference)
    name = _ARN_SUFFIX.sub("", arn["name"]) if arn else reference
    if not _NAME.fullmatch(name) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return False
    folders = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)
    return name in prefixes or name.startswith(folders)


def listed_secrets(
    client: SecretsManagerClient, prefix: str, *, with_deleted: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield name and ARN of the secrets within a prefix, in the order of Secrets Manager.

    Args:
        client: A Secrets Manager client.
        prefix: As in `is_within`.
        with_deleted: Whether secrets that are scheduled for deletion are among them.
    """
    pages = client.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": [prefix]}], IncludePlannedDeletion=with_deleted
    )
    for secret in (secret for page in pages for secret in page["SecretList"]):
        # The filter ignores case and matches the start of any part of a name.
        if is_within(secret["Name"], (prefix,)):
            yield secret["Name"], secret["ARN"]


class ChannelSecrets:
    """Implements the port `Secrets` on Secrets Manager.

    Args:
        client: A Secrets Manager client.
        prefixes: The channel's own; any other reference is refused before a request is made.
        read_credentials: Converts a secret's JSON to credentials; raises for an invalid one. None:
            the channel has no credentials per tenant.
        clock: Returns seconds, of which only differences matter.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        prefixes: Sequence[str],
        read_credentials: Callable[[object], Credentials] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._prefixes = tuple(prefixes)
        self._read_credentials = read_credentials
        self._clock = clock
        self._cache: dict[str, tuple[float, object]] = {}
        self._reads: SingleFlight[object] = SingleFlight()

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """Return the OpenAI API key."""
        return openai_key(self._read(reference, fresh=fresh))

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        """Return a tenant's credentials for the channel's vendor."""
        if self._read_credentials is None:
            return NoCredentials()
        return self._read_credentials(self._read(reference, fresh=fresh))

    def names(self, prefix: str) -> list[str]:
        """Return the names of the secrets within one of the channel's prefixes."""
        try:
            return sorted(name for name, _ in listed_secrets(self._client, prefix))
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from error

    def _read(self, reference: str, *, fresh: bool) -> object:
        if not is_within(reference, self._prefixes):
            raise PermanentFailure("secret_reference_refused", Step.SECRETS)
        # A batch that starts with an empty cache makes one request for each secret, and waits once
        # if there is no answer. A fresh read must not share one that the cache may answer.
        return self._reads.call((reference, fresh), partial(self._cached, reference, fresh))

    def _cached(self, reference: str, fresh: bool) -> object:  # noqa: FBT001 - private
        expires_at, value = self._cache.get(reference, (0.0, None))
        if fresh or self._clock() >= expires_at:
            value = self._fetch(reference)
            self._cache[reference] = (self._clock() + MAX_AGE_SECONDS, value)
        return value

    def _fetch(self, reference: str) -> object:
        try:
            response = call_aws(partial(self._client.get_secret_value, SecretId=reference))
        except TimeoutError as error:
            raise TransientFailure(
                "secrets_unavailable", Step.SECRETS, "no answer in time"
            ) from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in MISSING:
                raise ConfigurationRefused("secret_missing", Step.SECRETS, MISSING[code]) from error
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error
        return stored_secret(response)


def _unavailable(error: BotoCoreError | ClientError) -> TransientFailure:
    code = type(error).__name__
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
    return TransientFailure("secrets_unavailable", Step.SECRETS, code)


class SingleFlight(Generic[T]):
    """Makes one call at a time for each key, and shares its outcome with concurrent callers."""

    def __init__(self) -> None:
        self._in_flight: dict[Hashable, Future[T]] = {}
        self._lock = Lock()

    def call(self, key: Hashable, function: Callable[[], T]) -> T:
        """Call the function, or wait for the call in flight with that key.

        Args:
            key: Identifies the call.
            function: Called unless a call with that key is in flight.

        Returns:
            The call's result; its exception is raised for every waiting caller.
        """
        with self._lock:
            future = self._in_flight.get(key)
            is_first = future is None
            if future is None:
                future = self._in_flight[key] = Future()
        if is_first:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised again for every caller
                future.set_exception(error)
            finally:
                with self._lock:
                    del self._in_flight[key]
        return future.result()
