"""What OpenAI's errors mean for a message that is still to be written.

By error code before status, since one status stands for several things
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    Step,
    TransientFailure,
)

LOCKED = "conversation_locked"
LOCKED_SECONDS = 5.0
"""A conversation in use by another call is free again within seconds."""
OUT_OF_MONEY = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_not_active"})
OUT_OF_MONEY_ENDINGS = ("_spend_limit_exceeded", "_usage_limit_exceeded")
PASSING = frozenset({408, 409})


def meaning_of_status(
    status: int, code: str | None, retry_after: float | None = None
) -> ProcessingError:
    """The error that says what must happen after OpenAI answered with an error.

    Args:
        status: The HTTP status.
        code: OpenAI's `error.code`, if the body carried one.
        retry_after: Seconds of the `Retry-After` header, if there was one.
    """
    name = f"openai_{code or status}"
    if code == LOCKED:
        return TransientFailure(name, Step.AI, retry_after=LOCKED_SECONDS)
    if _is_out_of_money(code):
        return AccountRefused(name, Step.AI, "the account's quota or funds are used up")
    if status in {401, 403}:
        return CredentialsRefused(name, Step.AI, "the API key is refused")
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return RateLimited(name, Step.AI, "a rate limit", retry_after=retry_after)
    if status >= 500 or status in PASSING:  # noqa: PLR2004 - HTTP's own number
        return TransientFailure(name, Step.AI, retry_after=retry_after)
    return PermanentFailure(name, Step.AI, "the request is refused")


def meaning_of_failure(code: str | None) -> ProcessingError:
    """The error for an answer that OpenAI began and reports as failed, by its error code."""
    name = f"openai_{code or 'failed'}"
    if _is_out_of_money(code):
        return AccountRefused(name, Step.AI, "the account's quota or funds are used up")
    if code == "rate_limit_exceeded":
        return RateLimited(name, Step.AI, "a rate limit")
    if code in {"server_error", "vector_store_timeout", None}:
        return TransientFailure(name, Step.AI)
    return PermanentFailure(name, Step.AI, "the request is refused")


def refused() -> ProcessingError:
    """The error for an answer in which the AI refuses to write."""
    return PermanentFailure("ai_answer_refused", Step.AI)


def cut_off(reason: str | None) -> ProcessingError:
    """The error for an answer that ended early: at its token limit, or by a content filter."""
    if reason == "content_filter":
        return PermanentFailure("ai_answer_refused", Step.AI, "by the content filter")
    return PermanentFailure("ai_answer_cut_off", Step.AI, f"by {reason or 'the service'}")


def _is_out_of_money(code: str | None) -> bool:
    return code is not None and (code in OUT_OF_MONEY or code.endswith(OUT_OF_MONEY_ENDINGS))
