"""OpenAI's interface: what is asked, how answers are read, and what its errors mean."""

import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lambda_src.bootstrap import ON_DEMAND, preload
from lambda_src.core.ai.errors import (
    LOCKED_SECONDS,
    ai_refused,
    classify_failure,
    classify_run,
    classify_status,
    incomplete_answer,
)
from lambda_src.core.ai.request import (
    Deadline,
    prompt,
    read_variables,
    utc_now_iso,
    variables_schema,
)
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
from lambda_src.core.models import AssistantDefinition, Engine, GenerationRequest, VariableRule
from lambda_src.core.openai_processor import OpenAIProcessor
from tests.support.runtime import FIRST_CONTACT

Kind = type[ProcessingError]


def test_the_prompt_is_json_in_its_own_letters() -> None:
    """It is not escaped."""
    context = {"company_name": "Grüß & Söhne", "project_data": {"n": [1, 2.5, None]}}
    assert context == json.loads(prompt(context))
    assert "Grüß & Söhne" in prompt(context)


def test_the_schema_is_strict() -> None:
    """Every variable is required, no other is allowed, and all are strings."""
    definition = AssistantDefinition(
        "model", "Write.", {"1": VariableRule("The name.", 60), "2": VariableRule("The text.")}
    )
    assert {
        "type": "object",
        "properties": {
            "1": {"type": "string", "description": "The name. At most 60 characters."},
            "2": {"type": "string", "description": "The text."},
        },
        "required": ["1", "2"],
        "additionalProperties": False,
    } == variables_schema(definition)


def test_variables_are_read_from_an_object_of_strings() -> None:
    """As the schema requires."""
    assert {"1": "Zoë", "2": ""} == read_variables('{"1": "Zo\\u00eb", "2": ""}')


@pytest.mark.parametrize(
    "text",
    [
        "", "canary", '{"1": "canary"', '["canary"]', '"canary"', "null", '{"1": 7}',
        '{"1": null}', '{"1": {"canary": "canary"}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_other_answers_are_invalid_and_not_quoted(text: str) -> None:
    """A permanent failure, without the answer's text."""
    with pytest.raises(PermanentFailure, match="ai_answer_unfit") as invalid:
        read_variables(text)
    assert "canary" not in str(invalid.value)
    assert invalid.value.__suppress_context__ or invalid.value.__context__ is None


def test_the_time_of_an_answer_is_utc() -> None:
    """ISO 8601, with its offset."""
    assert timedelta(0) == datetime.fromisoformat(utc_now_iso()).utcoffset()


def test_an_answer_is_not_billed_after_its_time() -> None:
    """A worker that was delayed between two requests does not make the second one."""
    Deadline(60).check()
    with pytest.raises(TransientFailure, match="openai_timeout"):
        Deadline(0).check()


@pytest.mark.parametrize(
    ("engine", "definition", "code"),
    [
        (Engine.ASSISTANTS, FIRST_CONTACT, "assistants_engine_not_configured"),
        (Engine.RESPONSES, None, "assistant_without_model"),
        (Engine.RESPONSES, AssistantDefinition("", "Write.", {}), "assistant_without_model"),
    ],
)
def test_a_request_that_cannot_be_made_is_not_made(
    engine: Engine, definition: AssistantDefinition | None, code: str
) -> None:
    """No server for an engine, or no model: a refused configuration, and no socket is opened."""
    request = GenerationRequest(engine, "first_contact", definition, {}, {}, 60)
    with pytest.raises(ConfigurationRefused, match=code):
        OpenAIProcessor().generate("sk-1", request)


# --- preloading

MODULE = "preloaded_in_a_test"


@pytest.mark.parametrize("initialization", [ON_DEMAND, "snap-start", "provisioned-concurrency"])
def test_modules_are_preloaded_without_delaying_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialization: str
) -> None:
    """If a message is waiting a thread imports them, else the start itself."""
    code = "import threading\nTHREAD = threading.current_thread().name\n"
    (tmp_path / f"{MODULE}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    preload((MODULE,), initialization)
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join()
    expected = "preload" if initialization == ON_DEMAND else threading.current_thread().name
    assert expected == sys.modules[MODULE].THREAD


# --- errors

STATUSES: list[tuple[int, str | None, Kind]] = [
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
    (401, "incorrect_hostname", ConfigurationRefused),
    (400, "invalid_json_schema", ConfigurationRefused),
    (400, "unsupported_parameter", ConfigurationRefused),
    (400, "billing_hard_limit_reached", AccountRefused),
    (400, "organization_restricted", AccountRefused),
    (402, None, AccountRefused),
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
def test_an_error_answer_is_classified_by_code_before_status(
    status: int, code: str | None, kind: Kind
) -> None:
    """Keys, funds and models raise an alarm; what passes by itself or is one message's does not."""
    error = classify_status(status, code)
    assert (kind, f"openai_{code or status}", Step.AI) == (type(error), error.code, error.step)
    assert issubclass(kind, AccountRefused) is error.alarm


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
def test_a_retry_after_is_used_where_a_retry_helps(
    status: int, code: str | None, expected: float | None
) -> None:
    """A locked conversation is free again in seconds; missing funds are not."""
    assert expected == classify_status(status, code, retry_after=7.5).retry_after


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
        ("data_residency_mismatch", ConfigurationRefused),
    ],
)
def test_a_failed_answer_is_classified_by_its_code(code: str | None, kind: Kind) -> None:
    """What OpenAI started and could not finish has a code as well."""
    error = classify_failure(code)
    assert (kind, f"openai_{code or 'failed'}") == (type(error), error.code)


@pytest.mark.parametrize(
    ("status", "param", "kind"),
    [
        (400, "model", ConfigurationRefused),
        (422, "model", ConfigurationRefused),
        (400, "text.format.schema", ConfigurationRefused),
        (400, "max_output_tokens", ConfigurationRefused),
        (400, "reasoning.effort", ConfigurationRefused),
        (400, "input", PermanentFailure),
        (400, "input[0].content", PermanentFailure),
        (400, ["model"], PermanentFailure),
        (429, "model", RateLimited),
        (500, "model", TransientFailure),
    ],
)
def test_a_refused_definition_is_a_configuration_error(
    status: int, param: object, kind: Kind
) -> None:
    """Whatever the code: no message is at fault, and every one would be lost."""
    assert kind is type(classify_status(status, "invalid_value", param=param))


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
def test_a_run_without_an_answer_is_classified_by_its_end(
    status: str | None, code: str | None, kind: Kind, name: str
) -> None:
    """A timeout or a cancellation is retried; a run that needs tools is not."""
    error = classify_run(status, code)
    assert (kind, name) == (type(error), error.code)


@pytest.mark.parametrize(
    "word", ["Call +15550100999", "+15550100999", "x" * 65, "", "UPPER", "a b", 500, ["a"], None]
)
def test_text_that_is_not_a_code_never_reaches_the_error(word: object) -> None:
    """A server may send anything in the place of a code."""
    errors = [
        classify_status(400, word),
        classify_failure(word),
        classify_run("failed", word),
        incomplete_answer(word),
    ]
    assert [
        "openai_400 at ai: the request is refused",
        "openai_failed at ai",
        "openai_failed at ai",
        "ai_answer_cut_off at ai: the answer was cut off by the service",
    ] == list(map(str, errors))


@pytest.mark.parametrize(
    ("make", "kind", "code"),
    [
        (ai_refused, PermanentFailure, "ai_answer_refused"),
        (lambda: incomplete_answer("content_filter"), PermanentFailure, "ai_answer_refused"),
        (lambda: incomplete_answer("max_output_tokens"), InvalidAnswer, "ai_answer_cut_off"),
        (lambda: incomplete_answer(None), InvalidAnswer, "ai_answer_cut_off"),
    ],
)
def test_a_refusal_is_final_and_an_incomplete_answer_is_not(
    make: Callable[[], ProcessingError], kind: Kind, code: str
) -> None:
    """Only an incomplete answer is asked for once more."""
    error = make()
    assert (kind, code) == (type(error), error.code)
