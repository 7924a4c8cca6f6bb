"""The channel's secrets: within its prefixes, read once for all who ask, cached with an expiry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import (
    GetParameterError,
    TransformParameterError,
)
from botocore.exceptions import ClientError

from lambda_src.core import timing
from lambda_src.core.errors import PermanentFailure, ProcessingError, Step, TransientFailure
from lambda_src.core.in_time import within
from lambda_src.services.secret_forms import malformed, openai_key, twilio_credentials
from lambda_src.services.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from lambda_src.core.ports import Credentials

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
        read_credentials: Makes credentials of a secret's JSON, or says what is wrong with it.
    """

    def __init__(
        self,
        client: SecretsManagerClient,
        prefixes: Sequence[str],
        read_credentials: Callable[[object], Credentials] = twilio_credentials,
    ) -> None:
        self._provider = SecretsProvider(boto3_client=client)
        self._prefixes = tuple(prefixes)
        self._read_credentials = read_credentials
        self._reads: SingleFlight[object] = SingleFlight()

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """The OpenAI API key."""
        return openai_key(self._read(reference, fresh=fresh))

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        """A tenant's credentials for the channel's vendor."""
        return self._read_credentials(self._read(reference, fresh=fresh))

    def _read(self, reference: str, *, fresh: bool) -> object:
        if not is_within(reference, self._prefixes):
            raise PermanentFailure("secret_reference_refused", Step.SECRETS)
        # A batch that starts cold asks once for each secret, and waits once where nobody answers.
        # One who wants it fresh must not share a read that the cache may serve.
        return self._reads.call((reference, fresh), lambda: self._get(reference, fresh=fresh))

    def _get(self, reference: str, *, fresh: bool) -> object:
        try:
            return within(
                timing.AWS_CALL_SECONDS,
                lambda: self._provider.get(
                    reference, max_age=MAX_AGE_SECONDS, transform="json", force_fetch=fresh
                ),
            )
        except TimeoutError as error:
            raise TransientFailure(
                "secrets_unavailable", Step.SECRETS, "no answer in time"
            ) from error
        except TransformParameterError:
            # Without its cause: the decoder's error carries the secret's text.
            raise malformed("a JSON object", "other text") from None
        except GetParameterError as error:
            raise _unreadable(error.__context__) from error


def _unreadable(cause: BaseException | None) -> ProcessingError:
    if isinstance(cause, KeyError):
        return malformed("a JSON object as text", "a binary value")
    code = (
        cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
    )
    if code in MISSING:
        return PermanentFailure("secret_missing", Step.SECRETS)
    return TransientFailure("secrets_unavailable", Step.SECRETS, code)
