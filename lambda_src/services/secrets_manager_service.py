"""The channel's secrets: below its prefixes only, cached, and read once for concurrent messages."""

from __future__ import annotations

import re
import time
from concurrent.futures import Future
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import (
    ConfigurationRefused,
    NoCredentials,
    PermanentFailure,
    Step,
    TransientFailure,
    call_with_deadline,
    time_budget,
)
from lambda_src.services.secret_schemas import openai_key, stored_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from mypy_boto3_secretsmanager import SecretsManagerClient

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


def is_within(reference: str, prefixes: Sequence[str]) -> bool:
    """Return whether a secret's name or ARN has one of the prefixes.

    A prefix ends at a path segment: `a/b` includes `a/b` and `a/b/c`, but not `a/bc`.
    """
    arn = _ARN.fullmatch(reference)
    name = _ARN_SUFFIX.sub("", arn["name"]) if arn else reference
    if not _NAME.fullmatch(name) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return False
    folders = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes)
    return name in prefixes or name.startswith(folders)


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
            response = call_with_deadline(
                time_budget.AWS_CALL_SECONDS,
                partial(self._client.get_secret_value, SecretId=reference),
            )
        except TimeoutError as error:
            raise TransientFailure(
                "secrets_unavailable", Step.SECRETS, "no answer in time"
            ) from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in MISSING:
                raise ConfigurationRefused("secret_missing", Step.SECRETS, MISSING[code]) from error
            raise TransientFailure("secrets_unavailable", Step.SECRETS, code) from error
        except BotoCoreError as error:
            raise TransientFailure(
                "secrets_unavailable", Step.SECRETS, type(error).__name__
            ) from error
        return stored_secret(response)


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
