"""What OpenAI's errors mean for a message that is still to be written."""

import pytest

from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.openai_errors import (
    LOCKED_SECONDS,
    cut_off,
    meaning_of_failure,
    meaning_of_status,
    refused,
)

STATUSES: list[tuple[int, str | None, type[ProcessingError]]] = [
    (400, "conversation_locked", TransientFailure),
    (400, "invalid_value", PermanentFailure),
    (400, None, PermanentFailure),
    (404, "model_not_found", PermanentFailure),
    (404, None, PermanentFailure),
    (422, None, PermanentFailure),
    (401, "invalid_api_key", CredentialsRefused),
    (401, None, CredentialsRefused),
    (403, "unsupported_country_region_territory", CredentialsRefused),
    (429, "rate_limit_exceeded", RateLimited),
    (429, "slow_down", RateLimited),
    (429, None, RateLimited),
    (429, "insufficient_quota", AccountRefused),
    (429, "credit_balance_exhausted", AccountRefused),
    (429, "billing_not_active", AccountRefused),
    (429, "project_spend_limit_exceeded", AccountRefused),
    (429, "organization_usage_limit_exceeded", AccountRefused),
    (403, "insufficient_quota", AccountRefused),
    (408, None, TransientFailure),
    (409, None, TransientFailure),
    (500, "server_error", TransientFailure),
    (502, None, TransientFailure),
    (503, "slow_down", TransientFailure),
    (504, None, TransientFailure),
]


@pytest.mark.parametrize(("status", "code", "kind"), STATUSES)
def test_each_case_has_its_class(
    status: int, code: str | None, kind: type[ProcessingError]
) -> None:
    """By code before status; the error's own code names whichever there was."""
    error = meaning_of_status(status, code)
    assert (kind, f"openai_{code or status}", Step.AI) == (type(error), error.code, error.step)


@pytest.mark.parametrize(("status", "code", "kind"), STATUSES)
def test_a_person_is_called_for_keys_and_money(
    status: int, code: str | None, kind: type[ProcessingError]
) -> None:
    """And for nothing that passes by itself or lies in one message."""
    assert issubclass(kind, AccountRefused) is meaning_of_status(status, code).alarm


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "rate_limit_exceeded", 7.5),
        (503, None, 7.5),
        (400, "conversation_locked", LOCKED_SECONDS),
        (400, None, None),
        (429, "insufficient_quota", None),
    ],
)
def test_a_retry_after_is_heeded_where_a_retry_helps(
    status: int, code: str | None, expected: float | None
) -> None:
    """A locked conversation is free again in seconds; a lack of money is not."""
    assert expected == meaning_of_status(status, code, retry_after=7.5).retry_after


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", TransientFailure),
        ("vector_store_timeout", TransientFailure),
        (None, TransientFailure),
        ("rate_limit_exceeded", RateLimited),
        ("insufficient_quota", AccountRefused),
        ("organization_spend_limit_exceeded", AccountRefused),
        ("invalid_prompt", PermanentFailure),
        ("requires_action", PermanentFailure),
        ("expired", PermanentFailure),
    ],
)
def test_an_answer_that_failed_midway_is_judged_by_its_code(
    code: str | None, kind: type[ProcessingError]
) -> None:
    """What OpenAI began and could not finish has a code as well."""
    error = meaning_of_failure(code)
    assert (kind, f"openai_{code or 'failed'}") == (type(error), error.code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused(), "ai_answer_refused"),
        (cut_off("content_filter"), "ai_answer_refused"),
        (cut_off("max_output_tokens"), "ai_answer_cut_off"),
        (cut_off(None), "ai_answer_cut_off"),
    ],
)
def test_an_answer_that_is_none_is_a_permanent_failure(error: ProcessingError, code: str) -> None:
    """Refused or cut off: asking again would cost the same and give the same."""
    assert (PermanentFailure, code) == (type(error), error.code)
