"""Composing the message: what the AI is asked, with what secrets and time, and what is valid."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.composer import check_template, validate_output
from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import (
    ConfigurationRefused,
    CredentialsRefused,
    PermanentFailure,
    TransientFailure,
)
from lambda_src.core.models import (
    MAX_BODY_LENGTH,
    MAX_RENDERED_LENGTH,
    Answer,
    AssistantDefinition,
    ContextObject,
    Engine,
    VariableRule,
    utf16_length,
)
from lambda_src.core.time_budget import MIN_AI_SECONDS
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER
from tests.support.runtime import FIRST_CONTACT, KEY, TWILIO, FakeRuntime

CONTEXT = contexts.parse(contexts.valid())
INLINE = replace(FIRST_CONTACT, instructions="Write it inline.")
FREE_TEXT = AssistantDefinition("model-of-the-day", "Write.", {})


def compose(
    runtime: FakeRuntime, context: ContextObject = CONTEXT, template_sid: str | None = "HX1"
) -> Answer:
    """Let the AI write."""
    return runtime.composer.compose(runtime.delivery(), context, template_sid, lambda: None)


def test_one_message_is_requested(runtime: FakeRuntime) -> None:
    """By the definition of the id, with prompt context, ids and the configured time."""
    assert ANSWER == compose(runtime)
    [request] = runtime.generator.billed
    assert (Engine.RESPONSES, "first_contact") == (request.engine, request.assistant_id)
    assert (FIRST_CONTACT, CONTEXT.prompt_context) == (request.definition, request.prompt_context)
    expected = {"conversation_id": contexts.CONVERSATION, "request_id": "request-1"}
    assert (expected, 60.0) == (request.metadata, request.timeout)


def test_an_inline_definition_has_precedence(runtime: FakeRuntime) -> None:
    """Over the file of the same id."""
    compose(runtime, replace(CONTEXT, assistant=INLINE))
    assert INLINE == runtime.generator.billed[0].definition


def test_an_unknown_assistant_is_a_permanent_failure(runtime: FakeRuntime) -> None:
    """The Responses engine needs a definition; nothing is billed."""
    with pytest.raises(ConfigurationRefused, match="assistant_unknown"):
        compose(runtime, replace(CONTEXT, assistant_id="unknown"))
    assert [] == runtime.generator.billed


def test_an_assistant_may_be_defined_on_its_server(runtime: FakeRuntime) -> None:
    """The Assistants engine may know the id by itself; it then writes free text."""
    runtime.generator.answer = replace(ANSWER, text="Hello", variables={})
    context = replace(CONTEXT, assistant_id="asst_1", engine=Engine.ASSISTANTS)
    assert "Hello" == compose(runtime, context, None).text
    assert runtime.generator.billed[0].definition is None


@pytest.mark.parametrize(
    ("template_sid", "definition"), [(None, FIRST_CONTACT), ("HX1", FREE_TEXT)]
)
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_mismatch_of_template_and_assistant_is_not_billed(
    runtime: FakeRuntime, template_sid: str | None, definition: AssistantDefinition, is_stored: bool
) -> None:
    """What cannot be sent is not generated, nor sent if it was stored."""
    credentials = replace(TWILIO, template_sid=template_sid)
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    if is_stored:
        answer = ANSWER if definition.variables else replace(ANSWER, text="Hello", variables={})
        runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=answer)
    with pytest.raises(ConfigurationRefused, match="assistant_template_mismatch"):
        runtime.process(replace(CONTEXT, assistant=definition))
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)


def test_a_stored_answer_needs_no_openai_key(runtime: FakeRuntime) -> None:
    """Without a request no key is read."""
    runtime.secrets.openai_keys.stored.clear()
    runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=ANSWER)
    runtime.process()
    assert ([], 1) == (runtime.generator.billed, len(runtime.sender.sent))


def test_a_refused_key_is_read_again_once(runtime: FakeRuntime) -> None:
    """A rotated key is used without waiting for the cache; one that stays refused is given up."""
    compose(runtime)
    stored = runtime.secrets.openai_keys.stored
    stored[contexts.OPENAI_SECRET] = runtime.generator.api_key = "sk-2"
    compose(runtime)
    assert [contexts.OPENAI_SECRET] == runtime.secrets.fresh_reads
    runtime.generator.fail(CredentialsRefused("openai_401", Step.AI), times=2)
    with pytest.raises(CredentialsRefused) as refused:
        compose(runtime)
    assert refused.value.alarm
    assert (2, 2) == (len(runtime.secrets.fresh_reads), len(runtime.generator.billed))


def test_other_errors_of_the_ai_read_no_secret_again(runtime: FakeRuntime) -> None:
    """Only a refused key is a reason."""
    runtime.generator.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure, match="openai_500"):
        compose(runtime)
    assert [] == runtime.secrets.fresh_reads


@pytest.mark.parametrize("secret", ["openai_keys", "twilio_credentials"])
def test_a_missing_secret_is_a_permanent_failure(runtime: FakeRuntime, secret: str) -> None:
    """Neither key nor credentials: nothing is billed."""
    getattr(runtime.secrets, secret).stored.clear()
    with pytest.raises(ConfigurationRefused, match="secret_missing"):
        runtime.process()
    assert [] == runtime.generator.billed


def test_the_ai_leaves_time_for_the_send(runtime: FakeRuntime) -> None:
    """Near the function's end its timeout is shorter; with too little time it is not asked."""
    runtime.deadline = runtime.clock() + runtime.times.send_reserve + 20
    compose(runtime)
    assert 20.0 == pytest.approx(runtime.generator.billed[0].timeout)
    runtime.deadline = runtime.clock() + runtime.times.send_reserve + MIN_AI_SECONDS - 0.5
    with pytest.raises(TransientFailure) as late:
        compose(runtime)
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert 1 == len(runtime.generator.billed)


# --- validation of the answer

anything = st.text(st.characters(codec=None), max_size=300) | st.text(
    "a \t\n\r\x00\x85\u2028\ud83c"
)


def template(**rules: int | None) -> AssistantDefinition:
    """Return a definition with these variables and their maximum lengths."""
    variables = {name: VariableRule(name, maximum) for name, maximum in rules.items()}
    return AssistantDefinition("model", "Write.", variables)


def filled(**values: str) -> Answer:
    """Return an answer with these variables."""
    return replace(ANSWER, variables=values)


def text(value: str) -> Answer:
    """Return an answer in free text."""
    return replace(ANSWER, text=value, variables={})


def invalid(answer: Answer, definition: AssistantDefinition) -> str:
    """Return the detail of the error for an invalid answer."""
    with pytest.raises(PermanentFailure, match="ai_answer_unfit") as error:
        validate_output(answer, definition)
    return error.value.detail


@given(anything, anything)
def test_valid_variables_satisfy_twilio(first: str, second: str) -> None:
    """Whatever the AI writes: no line break, tab, run of spaces or half character is left."""
    definition = template(a=None, b=200)
    try:
        valid = validate_output(filled(a=first, b=second), definition)
    except PermanentFailure:
        return
    for value in valid.variables.values():
        assert value.strip() == value != ""
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]| {2}", value)
        assert value.encode("utf-8").decode("utf-8")
    assert utf16_length(valid.variables["b"]) <= 200
    assert sum(map(utf16_length, valid.variables.values())) <= MAX_RENDERED_LENGTH
    assert valid == validate_output(valid, definition)


@given(anything)
def test_a_valid_text_satisfies_twilio(written: str) -> None:
    """Whatever the AI writes: the body is not empty, within its length, and can be encoded."""
    try:
        body = validate_output(text(written), FREE_TEXT).text
    except PermanentFailure:
        return
    assert body.strip() == body != ""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", body)
    assert 0 < utf16_length(body) <= MAX_BODY_LENGTH
    assert body.encode("utf-8")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"a": "Zoë", "b": "Grüße, 你好 👩‍🚀 – it's 5 o'clock?"}, None),
        ({"b": "2", "a": "1"}, {"a": "1", "b": "2"}),
        (
            {"a": "\n Hello,\r\n\tAmara!     How\u2028are\x00you? ", "b": "x"},
            {"a": "Hello, Amara! How are you?", "b": "x"},
        ),
    ],
    ids=["ordinary text", "order", "white space"],
)
def test_variables_are_normalized(written: dict[str, str], expected: dict[str, str] | None) -> None:
    """In the definition's order, with single spaces, and otherwise unchanged."""
    valid = validate_output(filled(**written), template(a=None, b=None)).variables
    assert list((expected or written).items()) == list(valid.items())


def test_free_text_keeps_its_line_breaks() -> None:
    """Other control characters become spaces; without a definition the answer is text."""
    written = text(" Hello,\r\nAmara\x07!\x00? \n")
    assert "Hello,\nAmara ! ?" == validate_output(written, FREE_TEXT).text
    assert "Hello,\nAmara ! ?" == validate_output(written, None).text


@pytest.mark.parametrize(
    "values", [{}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"x": "1", "y": "2"}]
)
def test_an_answer_has_exactly_the_variables(values: dict[str, str]) -> None:
    """One too many, too few or of another name is invalid."""
    expected = "2 variables are defined, the answer does not name just these"
    assert expected == invalid(filled(**values), template(a=None, b=None))


@pytest.mark.parametrize("value", ["", " ", "\r\n\t", "\x00\x01", "\u2028"])
def test_an_empty_answer_is_invalid(value: str) -> None:
    """Also if it consists of white space and control characters."""
    assert "variable a is empty" == invalid(filled(a=value), template(a=None))
    assert "the text is empty" == invalid(text(value), FREE_TEXT)


@pytest.mark.parametrize(
    ("fitting", "too_long", "definition", "expected"),
    [
        (
            {"a": "x" * 40},
            {"a": "x" * 41},
            template(a=40),
            "variable a has 41 characters, 40 are allowed",
        ),
        (
            {"a": "x" * 1000, "b": "y" * 24},
            {"a": "x" * 1000, "b": "y" * 25},
            template(a=None, b=None),
            "all variables have 1025 characters, 1024 are allowed",
        ),
        ("🎂" * 800, "🎂" * 801, FREE_TEXT, "the text has 1602 characters, 1600 are allowed"),
    ],
)
def test_lengths_are_limited(
    fitting: Any, too_long: Any, definition: AssistantDefinition, expected: str
) -> None:
    """A variable's, all variables', and a text's, counted as Twilio does."""

    def answer(value: Any) -> Answer:
        return text(value) if isinstance(value, str) else filled(**value)

    assert validate_output(answer(fitting), definition)
    assert expected == invalid(answer(too_long), definition)


def test_characters_are_counted_in_utf16() -> None:
    """An emoji is two units or more, a letter one."""
    assert [1, 1, 2, 5] == [utf16_length(text) for text in ("a", "é", "🎂", "👩‍🚀")]


def test_an_invalid_answer_is_not_quoted() -> None:
    """The error has lengths and the definition's names, never what was written."""
    for answer, definition in (
        (filled(a="canary " * 200), template(a=None)),
        (text("canary " * 300), FREE_TEXT),
        (filled(canary="canary"), template(a=None)),
    ):
        assert "canary" not in invalid(answer, definition)


def test_the_rest_of_the_answer_is_kept() -> None:
    """Ids, tokens and time; what the message does not use is dropped."""
    answer = replace(ANSWER, text="by the way", variables={"a": " x "})
    expected = replace(ANSWER, text="", variables={"a": "x"})
    assert expected == validate_output(answer, template(a=None))
    expected = replace(ANSWER, text="by the way", variables={})
    assert expected == validate_output(answer, FREE_TEXT)


def test_the_history_has_what_was_sent() -> None:
    """The text, or the variables as JSON."""
    assert "Hello" == text("Hello").content
    assert {"a": "Zoë 🎂"} == json.loads(filled(a="Zoë 🎂").content)
    assert "Zoë 🎂" in filled(a="Zoë 🎂").content


@pytest.mark.parametrize(
    ("has_variables", "template_sid", "is_valid"),
    [
        (True, "HX1", True),
        (False, None, True),
        (True, None, False),
        (True, "", False),
        (False, "HX1", False),
    ],
)
def test_variables_and_template_belong_together(
    has_variables: bool, template_sid: str | None, is_valid: bool
) -> None:
    """A template needs variables, free text has none."""
    if is_valid:
        check_template(has_variables=has_variables, template_sid=template_sid)
        return
    with pytest.raises(ConfigurationRefused, match="assistant_template_mismatch"):
        check_template(has_variables=has_variables, template_sid=template_sid)
