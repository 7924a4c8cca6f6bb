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
    ConfigurationRefused,
    cut_off,
    meaning_of_failure,
    meaning_of_run,
    meaning_of_status,
    refused,
)

STATUSES: list[tuple[int, str | None, type[ProcessingError]]] = [
    (400, "conversation_locked", TransientFailure),
    (400, "invalid_value", PermanentFailure),
    (400, None, PermanentFailure),
    (404, "model_not_found", ConfigurationRefused),
    (400, "model_not_found", ConfigurationRefused),
    (403, "model_not_found", ConfigurationRefused),
    (400, "unsupported_model", ConfigurationRefused),
    (404, None, ConfigurationRefused),
    (410, None, ConfigurationRefused),
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
def test_a_person_is_called_for_keys_money_and_models(
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
        ("model_not_found", ConfigurationRefused),
    ],
)
def test_an_answer_that_failed_midway_is_judged_by_its_code(
    code: str | None, kind: type[ProcessingError]
) -> None:
    """What OpenAI began and could not finish has a code as well."""
    error = meaning_of_failure(code)
    assert (kind, f"openai_{code or 'failed'}") == (type(error), error.code)


@pytest.mark.parametrize(
    ("status", "param", "kind"),
    [
        (400, "model", ConfigurationRefused),
        (422, "model", ConfigurationRefused),
        (400, "text.format", PermanentFailure),
        (400, ["model"], PermanentFailure),
        (429, "model", RateLimited),
        (500, "model", TransientFailure),
    ],
)
def test_a_refused_model_is_a_matter_of_configuration(
    status: int, param: object, kind: type[ProcessingError]
) -> None:
    """Whatever the code: no message is at fault, and every one would be lost."""
    assert kind is type(meaning_of_status(status, "invalid_value", param=param))


@pytest.mark.parametrize(
    ("status", "code", "kind", "name"),
    [
        ("expired", None, TransientFailure, "openai_run_expired"),
        ("cancelled", None, TransientFailure, "openai_run_cancelled"),
        ("failed", None, TransientFailure, "openai_failed"),
        ("failed", "server_error", TransientFailure, "openai_server_error"),
        ("failed", "rate_limit_exceeded", RateLimited, "openai_rate_limit_exceeded"),
        ("failed", "invalid_prompt", PermanentFailure, "openai_invalid_prompt"),
        ("requires_action", None, PermanentFailure, "openai_requires_action"),
        ("call +15550100999", None, TransientFailure, "openai_failed"),
        (None, None, TransientFailure, "openai_failed"),
    ],
)
def test_a_run_without_an_answer_is_judged_by_how_it_ended(
    status: str | None, code: str | None, kind: type[ProcessingError], name: str
) -> None:
    """What time or a hand ended may go well another time; what needs tools may not."""
    error = meaning_of_run(status, code)
    assert (kind, name) == (type(error), error.code)


@pytest.mark.parametrize(
    "word", ["Call +15550100999", "+15550100999", "x" * 65, "", "UPPER", "a b", 500, ["a"], None]
)
def test_what_is_no_code_never_reaches_the_error(word: object) -> None:
    """Where a code should stand, a server may put anything; something of ours stands for it."""
    errors = [
        meaning_of_status(400, word),
        meaning_of_failure(word),
        meaning_of_run("failed", word),
        cut_off(word),
    ]
    assert [
        "openai_400 at ai: the request is refused",
        "openai_failed at ai",
        "openai_failed at ai",
        "ai_answer_cut_off at ai: by the service",
    ] == list(map(str, errors))


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
