"""What OpenAI is asked, how its answers are read, and whom is asked at all."""

import json
from datetime import datetime

import pytest

from lambda_src.core.context import AssistantDefinition, Engine, VariableRule
from lambda_src.core.errors import PermanentFailure
from lambda_src.core.message import Assignment
from lambda_src.core.openai_processor import OpenAIProcessor
from lambda_src.core.openai_request import iso_now, prompt, read_variables, variables_schema
from tests.unit.fakes.world import FIRST_CONTACT


def test_the_prompt_is_the_briefing() -> None:
    """The AI reads JSON, in its own letters and not escaped."""
    briefing = {"company_name": "Grüß & Söhne", "project_data": {"n": [1, 2.5, None]}}
    assert briefing == json.loads(prompt(briefing))
    assert "Grüß & Söhne" in prompt(briefing)


def test_the_schema_is_strict() -> None:
    """Every variable is required, no other is allowed, and all are strings."""
    definition = AssistantDefinition(
        "model", "Write.", {"1": VariableRule("The name.", 60), "2": VariableRule("The text.")}
    )
    expected = {
        "type": "object",
        "properties": {
            "1": {"type": "string", "description": "The name. At most 60 characters."},
            "2": {"type": "string", "description": "The text."},
        },
        "required": ["1", "2"],
        "additionalProperties": False,
    }
    assert expected == variables_schema(definition)


def test_variables_are_read_from_json() -> None:
    """An object of strings is what the schema asks for."""
    assert {"1": "Zoë", "2": ""} == read_variables('{"1": "Zo\\u00eb", "2": ""}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        '{"1": "canary"',
        '["canary"]',
        '"canary"',
        "null",
        '{"1": 7}',
        '{"1": null}',
        '{"1": {"canary": "canary"}}',
    ],
)
def test_other_answers_are_unfit_and_not_quoted(text: str) -> None:
    """Whatever else was written is a permanent failure, without its text."""
    with pytest.raises(PermanentFailure) as unfit:
        read_variables(text)
    assert "ai_answer_unfit" == unfit.value.code
    assert "canary" not in str(unfit.value)
    assert unfit.value.__suppress_context__ or unfit.value.__context__ is None


def test_bottomless_answers_are_unfit() -> None:
    """Nesting beyond any reader's reach is an answer like any other that does not fit."""
    with pytest.raises(PermanentFailure):
        read_variables("[" * 100_000)


def test_the_time_of_an_answer_is_utc() -> None:
    """ISO 8601, with its offset."""
    now = datetime.fromisoformat(iso_now())
    assert "+00:00" == iso_now()[-6:]
    assert now.tzinfo


@pytest.mark.parametrize(
    ("engine", "definition", "code"),
    [
        (Engine.ASSISTANTS, FIRST_CONTACT, "assistants_engine_not_configured"),
        (Engine.RESPONSES, None, "assistant_without_model"),
        (Engine.RESPONSES, AssistantDefinition("", "Write.", {}), "assistant_without_model"),
    ],
)
def test_what_cannot_be_asked_is_not_asked(
    engine: Engine, definition: AssistantDefinition | None, code: str
) -> None:
    """No server for an engine, or no model: a permanent failure, and no socket is opened."""
    assignment = Assignment(engine, "first_contact", definition, {}, {}, 60)
    with pytest.raises(PermanentFailure) as failed:
        OpenAIProcessor().write("sk-1", assignment)
    assert code == failed.value.code
