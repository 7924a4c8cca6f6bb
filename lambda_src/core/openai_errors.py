"""What OpenAI's errors mean for a message that is still to be written.

By error code before status, since one status stands for several things
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

import re

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
GONE = frozenset({404, 410})
"""Statuses for what is not, or no longer, there: a model, an assistant, the whole interface."""
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
"""Codes for a model that is not served, with whatever status; `model_not_found` is OpenAI's own
for those it has shut down (https://platform.openai.com/docs/deprecations)."""

_CODE = re.compile(r"[a-z0-9_]{1,64}")


class ConfigurationRefused(AccountRefused):
    """OpenAI has no such model, assistant or interface: tried again late, and a person is called.

    It lies in no message and would end every one of them; a new definition or setting mends it.
    """


def meaning_of_status(
    status: int,
    code: object,
    retry_after: float | None = None,
    *,
    param: object = None,
    is_read: bool = False,
) -> ProcessingError:
    """The error that says what must happen after OpenAI answered with an error.

    Args:
        status: The HTTP status.
        code: OpenAI's `error.code` as it stood in the body, if it did.
        retry_after: Seconds of the `Retry-After` header, if there was one.
        param: OpenAI's `error.param`: which parameter of the request it is about.
        is_read: Whether the request only looked at what an earlier one had begun: it holds nothing
            of the message, so that its being refused does not end the message.
    """
    known = _known(code)
    name = f"openai_{known or status}"
    if error := _meaning_of_code(known, name):
        return error
    if status in {401, 403}:
        return CredentialsRefused(name, Step.AI, "the API key is refused")
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return RateLimited(name, Step.AI, "a rate limit", retry_after=retry_after)
    if status >= 500 or status in PASSING:  # noqa: PLR2004 - HTTP's own number
        return TransientFailure(name, Step.AI, retry_after=retry_after)
    if status in GONE or param == "model":
        return _not_there(name)
    return _refused(name, is_read=is_read)


def meaning_of_failure(code: object) -> ProcessingError:
    """The error for an answer that OpenAI began and reports as failed, by its error code."""
    known = _known(code)
    name = f"openai_{known or 'failed'}"
    if error := _meaning_of_code(known, name):
        return error
    if known == "rate_limit_exceeded":
        return RateLimited(name, Step.AI, "a rate limit")
    if known in {"server_error", "vector_store_timeout", None}:
        return TransientFailure(name, Step.AI)
    return PermanentFailure(name, Step.AI, "the request is refused")


def meaning_of_run(status: object, code: object) -> ProcessingError:
    """The error for a run that ended without an answer, by its status and last error's code.

    https://platform.openai.com/docs/assistants/deep-dive#run-lifecycle
    """
    if status == "requires_action":
        detail = "the assistant asks for tools, and has none here"
        return PermanentFailure("openai_requires_action", Step.AI, detail)
    if status in {"cancelled", "expired"}:
        return TransientFailure(f"openai_run_{status}", Step.AI)
    return meaning_of_failure(code)


def refused() -> ProcessingError:
    """The error for an answer in which the AI refuses to write."""
    return PermanentFailure("ai_answer_refused", Step.AI)


def cut_off(reason: object) -> ProcessingError:
    """The error for an answer that ended early: at its token limit, or by a content filter."""
    if reason == "content_filter":
        return PermanentFailure("ai_answer_refused", Step.AI, "by the content filter")
    return PermanentFailure("ai_answer_cut_off", Step.AI, f"by {_known(reason) or 'the service'}")


def _meaning_of_code(code: str | None, name: str) -> ProcessingError | None:
    """The error for a code that says the same with every status."""
    if code == LOCKED:
        return TransientFailure(name, Step.AI, retry_after=LOCKED_SECONDS)
    if code and (code in OUT_OF_MONEY or code.endswith(OUT_OF_MONEY_ENDINGS)):
        return AccountRefused(name, Step.AI, "the account's quota or funds are used up")
    return _not_there(name) if code in NO_MODEL else None


def _refused(name: str, *, is_read: bool) -> ProcessingError:
    if is_read:
        return TransientFailure(name, Step.AI, "a look at the answer is refused")
    return PermanentFailure(name, Step.AI, "the request is refused")


def _not_there(name: str) -> ProcessingError:
    return ConfigurationRefused(
        name, Step.AI, "there is no such model, assistant or interface, or no longer"
    )


def _known(code: object) -> str | None:
    """A vendor's word, if it has the form of a code: anything else may hold anything."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
