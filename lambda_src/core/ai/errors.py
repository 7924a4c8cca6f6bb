"""OpenAI's errors, classified by what must happen next.

The error code is used before the status, since one status has several meanings
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lambda_src.core.contract import Step
from lambda_src.core.errors import (
    AccountRefused,
    ConfigurationRefused,
    CredentialsRefused,
    InvalidAnswer,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    TransientFailure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


LOCKED = "conversation_locked"
LOCKED_SECONDS = 5.0
"""A conversation in use by another request is available again within seconds."""
RETRYABLE_STATUSES = frozenset({408, 409})
_NO_FUNDS = (AccountRefused, "the account's quota or funds are used up")
_RESTRICTED = (AccountRefused, "the account is deactivated or restricted")
_WRONG_HOST = (ConfigurationRefused, "the API key's project belongs to another region's host")
_DEFINITION = (ConfigurationRefused, "the assistant's definition is refused")
_NOT_FOUND = (ConfigurationRefused, "no such model, assistant or interface exists")
_MEANINGS: Mapping[str, tuple[type[ProcessingError], str]] = {
    "account_deactivated": _RESTRICTED,
    "billing_hard_limit_reached": _NO_FUNDS,
    "billing_not_active": _NO_FUNDS,
    "credit_balance_exhausted": _NO_FUNDS,
    "data_residency_mismatch": _WRONG_HOST,
    "incorrect_hostname": _WRONG_HOST,
    "insufficient_quota": _NO_FUNDS,
    "invalid_json_schema": _DEFINITION,
    "invalid_model": _NOT_FOUND,
    "model_deprecated": _NOT_FOUND,
    "model_not_available": _NOT_FOUND,
    "model_not_found": _NOT_FOUND,
    "model_retired": _NOT_FOUND,
    "organization_restricted": _RESTRICTED,
    "unsupported_model": _NOT_FOUND,
    "unsupported_parameter": _DEFINITION,
    "unsupported_value": _DEFINITION,
}
"""Codes that have one meaning with every status; `model_not_found` is OpenAI's own for models that
it has shut down (https://platform.openai.com/docs/deprecations)."""
NO_FUNDS_SUFFIXES = ("_spend_limit_exceeded", "_usage_limit_exceeded")
_REFUSING_STATUSES: Mapping[int, tuple[type[ProcessingError], str]] = {
    401: (CredentialsRefused, "the API key is refused"),
    402: _NO_FUNDS,
    403: (CredentialsRefused, "the API key is refused"),
    404: _NOT_FOUND,
    410: _NOT_FOUND,
}
"""Statuses of which every message of the account or the assistant would get the same."""
DEFINITION_PARAMS = frozenset(
    {
        "instructions",
        "max_completion_tokens",
        "max_output_tokens",
        "model",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "temperature",
        "text",
        "top_p",
        "verbosity",
    }
)
"""Parameters that come from the assistant's definition, and so are the same in every message."""

_CODE = re.compile(r"[a-z0-9_]{1,64}")


def classify_status(
    status: int,
    code: object,
    retry_after: float | None = None,
    *,
    param: object = None,
    is_read: bool = False,
) -> ProcessingError:
    """Return the error for an error answer of OpenAI.

    Args:
        status: The HTTP status.
        code: OpenAI's `error.code`, if the body contained one.
        retry_after: Seconds of the `Retry-After` header, if there was one.
        param: OpenAI's `error.param`: the parameter of the request that it names.
        is_read: Whether the request only reads the state of an earlier one, in which case a refusal
            is not a permanent failure of the message.
    """
    known = _code_or_none(code)
    name = f"openai_{known or status}"
    if error := _classify_code(known, name):
        return error
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return RateLimited(name, Step.AI, "a rate limit", retry_after=retry_after)
    if status >= 500 or status in RETRYABLE_STATUSES:  # noqa: PLR2004 - HTTP's own number
        return TransientFailure(name, Step.AI, retry_after=retry_after)
    if is_read and status not in _REFUSING_STATUSES:
        return TransientFailure(name, Step.AI, "reading the answer is refused")
    kind, detail = _REFUSING_STATUSES.get(status) or _classify_param(param)
    return kind(name, Step.AI, detail)


def classify_failure(code: object) -> ProcessingError:
    """Return the error for an answer that OpenAI reports as failed, by its error code."""
    known = _code_or_none(code)
    name = f"openai_{known or 'failed'}"
    if error := _classify_code(known, name):
        return error
    if known == "rate_limit_exceeded":
        return RateLimited(name, Step.AI, "a rate limit")
    if known in {"server_error", "vector_store_timeout", None}:
        return TransientFailure(name, Step.AI)
    return PermanentFailure(name, Step.AI, "the request is refused")


def classify_run(status: object, code: object) -> ProcessingError:
    """Return the error for a run that ended without an answer, by its status and error code.

    https://platform.openai.com/docs/assistants/deep-dive#run-lifecycle
    """
    if status == "requires_action":
        detail = "the assistant requires tools, which are not supported"
        return PermanentFailure("openai_requires_action", Step.AI, detail)
    if status in {"cancelled", "expired"}:
        return TransientFailure(f"openai_run_{status}", Step.AI)
    return classify_failure(code)


def ai_refused() -> ProcessingError:
    """Return the error for an answer in which the AI refuses to write."""
    return PermanentFailure("ai_answer_refused", Step.AI)


def incomplete_answer(reason: object) -> ProcessingError:
    """Return the error for an answer that ended early: token limit or content filter.

    Args:
        reason: OpenAI's reason.
    """
    if reason == "content_filter":
        return PermanentFailure("ai_answer_refused", Step.AI, "by the content filter")
    limit = _code_or_none(reason) or "the service"
    return InvalidAnswer("ai_answer_cut_off", Step.AI, f"the answer was cut off by {limit}")


def _classify_code(code: str | None, name: str) -> ProcessingError | None:
    """Return the error for a code that has one meaning with every status."""
    if code == LOCKED:
        return TransientFailure(name, Step.AI, retry_after=LOCKED_SECONDS)
    meaning = _MEANINGS.get(code or "")
    if code and code.endswith(NO_FUNDS_SUFFIXES):
        meaning = _NO_FUNDS
    return meaning[0](name, Step.AI, meaning[1]) if meaning else None


def _classify_param(param: object) -> tuple[type[ProcessingError], str]:
    """Return the meaning of a refused request by the parameter that is named as its cause."""
    name = re.split(r"[.\[]", param)[0] if isinstance(param, str) else ""
    if name == "model":
        return _NOT_FOUND
    if name in DEFINITION_PARAMS:
        return _DEFINITION
    return PermanentFailure, "the request is refused"


def _code_or_none(code: object) -> str | None:
    """Return a vendor's value if it has the form of a code, since other text might be anything."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
