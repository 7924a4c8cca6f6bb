"""OpenAI's errors, classified by what must happen next.

The error code is used before the status, since one status has several meanings
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

import re

from lambda_src.core.contract import Step
from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    InvalidAnswer,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    TransientFailure,
)

LOCKED = "conversation_locked"
LOCKED_SECONDS = 5.0
"""A conversation in use by another request is available again within seconds."""
NO_FUNDS = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_not_active"})
NO_FUNDS_SUFFIXES = ("_spend_limit_exceeded", "_usage_limit_exceeded")
RETRYABLE_STATUSES = frozenset({408, 409})
NOT_FOUND_STATUSES = frozenset({404, 410})
"""Statuses for a model, an assistant or an interface that does not, or no longer, exist."""
NO_MODEL = frozenset(
    {
        "invalid_model",
        "model_deprecated",
        "model_not_available",
        "model_not_found",
        "model_retired",
        "unsupported_model",
    }
)
"""Codes for a model that is not served, with any status; `model_not_found` is OpenAI's own for
those it has shut down (https://platform.openai.com/docs/deprecations)."""

_CODE = re.compile(r"[a-z0-9_]{1,64}")


class ConfigurationRefused(AccountRefused):
    """OpenAI has no such model, assistant or interface: attempted again late, with an alarm.

    It would fail every message; a new definition or setting corrects it.
    """


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
    if status in {401, 403}:
        return CredentialsRefused(name, Step.AI, "the API key is refused")
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return RateLimited(name, Step.AI, "a rate limit", retry_after=retry_after)
    if status >= 500 or status in RETRYABLE_STATUSES:  # noqa: PLR2004 - HTTP's own number
        return TransientFailure(name, Step.AI, retry_after=retry_after)
    if status in NOT_FOUND_STATUSES or param == "model":
        return _not_found(name)
    return _refused(name, is_read=is_read)


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
    """Return the error for an answer that ended early: token limit or content filter."""
    if reason == "content_filter":
        return PermanentFailure("ai_answer_refused", Step.AI, "by the content filter")
    limit = _code_or_none(reason) or "the service"
    return InvalidAnswer("ai_answer_cut_off", Step.AI, f"the answer was cut off by {limit}")


def _classify_code(code: str | None, name: str) -> ProcessingError | None:
    """Return the error for a code that has one meaning with every status."""
    if code == LOCKED:
        return TransientFailure(name, Step.AI, retry_after=LOCKED_SECONDS)
    if code and (code in NO_FUNDS or code.endswith(NO_FUNDS_SUFFIXES)):
        return AccountRefused(name, Step.AI, "the account's quota or funds are used up")
    return _not_found(name) if code in NO_MODEL else None


def _refused(name: str, *, is_read: bool) -> ProcessingError:
    if is_read:
        return TransientFailure(name, Step.AI, "reading the answer is refused")
    return PermanentFailure(name, Step.AI, "the request is refused")


def _not_found(name: str) -> ProcessingError:
    return ConfigurationRefused(name, Step.AI, "no such model, assistant or interface exists")


def _code_or_none(code: object) -> str | None:
    """Return a vendor's value if it has the form of a code, since other text might be anything."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
