"""Composing the message: what the AI is asked, with what secrets and time, and what is valid."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.ai.request import (
    Deadline,
    read_variables,
)
from lambda_src.core.contract import Status
from lambda_src.core.drafts.texts import validate_output
from lambda_src.core.errors import ConfigurationRefused, PermanentFailure, TransientFailure
from lambda_src.core.ledger import Lease
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    ContextObject,
    Engine,
    GenerationRequest,
    TextRules,
    VariableRule,
    utf16_length,
)
from lambda_src.core.openai_processor import OpenAIProcessor
from lambda_src.core.time_budget import MIN_AI_SECONDS
from lambda_src.services.twilio_service import MAX_BODY_LENGTH, MAX_RENDERED_LENGTH, TEXT_RULES
from lambda_src.utils.assistant_definitions import AssistantFiles
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER
from tests.support.runtime import FIRST_CONTACT, KEY, TWILIO, FakeRuntime

CONTEXT = contexts.parse(contexts.valid())
FREE_TEXT = AssistantDefinition("model-of-the-day", "Write.", {})


def _compose(
    runtime: FakeRuntime, context: ContextObject = CONTEXT, template_id: str | None = "HX1"
) -> Answer:
    lease = runtime.leases.acquire(context, "owner", START)
    assert isinstance(lease, Lease)
    answer = runtime.composer.compose(runtime.delivery(), context, lease, template_id, lambda: None)
    assert isinstance(answer, Answer)
    return answer


def test_one_message_is_requested(runtime: FakeRuntime) -> None:
    """By the definition of the id, with prompt context, ids and the configured time."""
    assert ANSWER == _compose(runtime)
    [request] = runtime.generator.billed
    assert (Engine.RESPONSES, "first_contact") == (request.engine, request.assistant_id)
    assert (FIRST_CONTACT, CONTEXT.prompt_context) == (request.definition, request.prompt_context)
    expected = {"conversation_id": contexts.CONVERSATION, "request_id": "request-1"}
    assert (expected, 60.0) == (request.metadata, request.timeout)


def test_an_assistant_may_be_defined_on_its_server(runtime: FakeRuntime) -> None:
    """The Assistants engine may know the id by itself; it then writes free text."""
    runtime.generator.answer = replace(ANSWER, text="Hello", variables={})
    context = replace(CONTEXT, assistant_id="asst_1", engine=Engine.ASSISTANTS)
    assert "Hello" == _compose(runtime, context, None).text
    assert runtime.generator.billed[0].definition is None


@pytest.mark.parametrize(
    ("name", "hint"), [("first_contakt", r" \(did you mean first_contact\?\)"), ("any", "")]
)
def test_an_unknown_assistant_names_its_field(runtime: FakeRuntime, name: str, hint: str) -> None:
    """The error has the field, and the id that a misspelled one resembles, but not the field's."""
    field = "company_data_payload.ai_config.openai_config.whatsapp.assistant_id_template_sender"
    text = f"{field}: expected the id of an assistant definition, found another{hint}$"
    with pytest.raises(ConfigurationRefused, match=text):
        _compose(runtime, replace(CONTEXT, assistant_id=name))


@pytest.mark.parametrize(
    ("template_id", "definition"),
    [(None, FIRST_CONTACT), ("", FIRST_CONTACT), ("HX1", FREE_TEXT)],
)
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_mismatch_of_template_and_assistant_is_not_billed(
    runtime: FakeRuntime, template_id: str | None, definition: AssistantDefinition, is_stored: bool
) -> None:
    """What cannot be sent is not generated, nor sent if it was stored."""
    credentials = replace(TWILIO, template_id=template_id)
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    if is_stored:
        answer = ANSWER if definition.variables else replace(ANSWER, text="Hello", variables={})
        runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=answer)
    with pytest.raises(ConfigurationRefused, match="assistant_template_mismatch"):
        runtime.process(replace(CONTEXT, assistant=definition))
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)


def test_a_channel_without_templates_sends_variables(runtime: FakeRuntime) -> None:
    """Those that it requires; their order is the definition's, also after the table was read."""
    runtime.text_rules = TextRules(required_variables=("subject", "text"), needs_template=False)
    answer = replace(ANSWER, variables={"text": "2", "subject": "1"})
    runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=answer)
    credentials = replace(TWILIO, template_id=None)
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    runtime.process(replace(CONTEXT, assistant=_template(subject=None, text=None)))
    [sent] = runtime.sender.sent
    assert [("subject", "1"), ("text", "2")] == list(sent.message.variables.items())


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_required_variable_is_missing(runtime: FakeRuntime, is_stored: bool) -> None:
    """The AI is not asked, nothing is sent, and the error has the names."""
    runtime.text_rules = TextRules(required_variables=("1", "subject"))
    if is_stored:
        runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=ANSWER)
    missing = "assistant_variables_missing .* variables 1, subject, missing subject"
    with pytest.raises(ConfigurationRefused, match=missing):
        runtime.process()
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)


def test_the_ai_leaves_time_for_the_send(runtime: FakeRuntime) -> None:
    """Near the function's end its timeout is shorter; with too little time it is not asked."""
    runtime.deadline = runtime.clock() + runtime.times.send_reserve + 20
    _compose(runtime)
    assert 20.0 == pytest.approx(runtime.generator.billed[0].timeout)
    runtime.deadline = runtime.clock() + runtime.times.send_reserve + MIN_AI_SECONDS - 0.5
    with pytest.raises(TransientFailure) as late:
        _compose(runtime)
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert 1 == len(runtime.generator.billed)


# --- validation of the answer

anything = st.text(st.characters(codec=None), max_size=300) | st.text(
    "a \t\n\r\x00\x85\u2028\ud83c"
)


def _validate(
    answer: Answer, definition: AssistantDefinition | None, rules: TextRules = TEXT_RULES
) -> Answer:
    return validate_output(answer, definition, rules)


def _template(**rules: int | None) -> AssistantDefinition:
    variables = {name: VariableRule(name, maximum) for name, maximum in rules.items()}
    return AssistantDefinition("model", "Write.", variables)


def _filled(**values: str) -> Answer:
    return replace(ANSWER, variables=values)


def _text(value: str) -> Answer:
    return replace(ANSWER, text=value, variables={})


@given(anything, anything)
def test_valid_variables_satisfy_twilio(first: str, second: str) -> None:
    """Whatever the AI writes: no line break, tab, run of spaces or half character is left."""
    definition = _template(a=None, b=200)
    try:
        valid = _validate(_filled(a=first, b=second), definition)
    except PermanentFailure:
        return
    for value in valid.variables.values():
        assert value.strip() == value != ""
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]| {2}", value)
        assert value.encode("utf-8").decode("utf-8")
    assert utf16_length(valid.variables["b"]) <= 200
    assert sum(map(utf16_length, valid.variables.values())) <= MAX_RENDERED_LENGTH
    assert valid == _validate(valid, definition)


@given(anything)
def test_a_valid_text_satisfies_twilio(written: str) -> None:
    """Whatever the AI writes: the body is not empty, within its length, and can be encoded."""
    try:
        body = _validate(_text(written), FREE_TEXT).text
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
    valid = _validate(_filled(**written), _template(a=None, b=None)).variables
    assert list((expected or written).items()) == list(valid.items())


def test_a_channel_may_keep_the_line_breaks_of_variables() -> None:
    """White space within a line is one space; the result is valid again."""
    rules = TextRules(keeps_line_breaks=True)
    valid = _validate(_filled(a="\n Hello,\r\n \n\tAmara\x07!  Bye \r\n"), _template(a=None), rules)
    assert {"a": "Hello,\n\nAmara ! Bye"} == valid.variables
    assert valid == _validate(valid, _template(a=None), rules)


def test_free_text_keeps_its_line_breaks() -> None:
    """Other control characters become spaces; without a definition the answer is text."""
    written = _text(" Hello,\r\nAmara\x07!\x00? \n")
    assert "Hello,\nAmara ! ?" == _validate(written, FREE_TEXT).text
    assert "Hello,\nAmara ! ?" == _validate(written, None).text


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("We offer moving【4:0†faq.pdf】. When?", "We offer moving. When?"),
        ("We offer moving 【12†source】 and storage", "We offer moving and storage"),
        ("We offer moving \ue200cite\ue202turn0search0\ue201. When?", "We offer moving. When?"),
        ("【Offer】 Moving", "【Offer】 Moving"),
    ],
)
def test_citation_markers_are_not_sent(written: str, sent: str) -> None:
    """They refer to files that the recipient cannot see."""
    assert sent == _validate(_text(written), FREE_TEXT).text


BLANKS = ["", " ", "\r\n\t", "\x00\x01", "\u2028"]
A, AB = _template(a=None), _template(a=None, b=None)


@pytest.mark.parametrize(
    ("answer", "definition", "detail"),
    [
        *(
            (_filled(**values), AB, "2 variables are defined, the answer does not name just these")
            for values in ({}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"x": "1", "y": "2"})
        ),
        *((_filled(a=blank), A, "variable a is empty") for blank in BLANKS),
        *((_text(blank), FREE_TEXT, "the text is empty") for blank in BLANKS),
        (_filled(a="x" * 41), _template(a=40), "variable a has 41 characters, 40 are allowed"),
        (
            _filled(a="x" * 1000, b="y" * 25),
            AB,
            "all variables have 1025 characters, 1024 are allowed",
        ),
        (_text("🎂" * 801), FREE_TEXT, "the text has 1602 characters, 1600 are allowed"),
    ],
)
def test_an_invalid_answer_is_described(
    answer: Answer, definition: AssistantDefinition, detail: str
) -> None:
    """The error has lengths and the definition's names, never what was written."""
    with pytest.raises(PermanentFailure) as invalid:
        _validate(answer, definition)
    assert f"ai_answer_unfit at compose: {detail}" == str(invalid.value)


@pytest.mark.parametrize("part", [" ", "【", "【†", "†", "\ue200", "【4:0†", " 【a†b"])
def test_a_long_answer_is_read_in_linear_time(part: str) -> None:
    """A model may write white space without end, or what a hostile input asks it for."""
    count = 100_000 // len(part)
    with pytest.raises(PermanentFailure):  # an expression with backtracking needs minutes
        _validate(_text(part * count + part[-1:] * count), FREE_TEXT)


@pytest.mark.parametrize(
    ("answer", "definition"),
    [
        (_filled(a="x" * 40), _template(a=40)),
        (_filled(a="x" * 1000, b="y" * 24), AB),
        (_text("🎂" * 800), FREE_TEXT),
    ],
)
def test_the_longest_answers_are_valid(answer: Answer, definition: AssistantDefinition) -> None:
    """A variable, all variables together, and a text, counted as Twilio does."""
    assert answer == _validate(answer, definition)


def test_the_rest_of_the_answer_is_kept() -> None:
    """Ids, tokens and time; what the message does not use is dropped."""
    answer = replace(ANSWER, text="by the way", variables={"a": " x "})
    expected = replace(ANSWER, text="", variables={"a": "x"})
    assert expected == _validate(answer, _template(a=None))
    expected = replace(ANSWER, text="by the way", variables={})
    assert expected == _validate(answer, FREE_TEXT)


# --- OpenAI's interface


@pytest.mark.parametrize(
    "text",
    [
        "", "canary", '{"1": "canary"', '["canary"]', '"canary"', "null", '{"1": 7}',
        '{"1": null}', '{"1": {"canary": "canary"}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_variables_are_read_from_an_object_of_strings_only(text: str) -> None:
    """Any other answer is a permanent failure, without its text."""
    assert {"1": "Zoë", "2": ""} == read_variables('{"1": "Zo\\u00eb", "2": ""}')
    with pytest.raises(PermanentFailure, match="ai_answer_unfit") as invalid:
        read_variables(text)
    assert "canary" not in str(invalid.value)
    assert invalid.value.__suppress_context__ or invalid.value.__context__ is None


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


# --- assistant definitions

VALID = """
model = "model-of-the-day"
instructions = "Grüße freundlich."
max_output_tokens = 300
[variables.1]
description = "The first name."
max_length = 40
[variables.message]
description = "The message."
"""


@pytest.fixture
def files(tmp_path: Path) -> AssistantFiles:
    """The assistants of a directory with one valid file."""
    (tmp_path / "valid.toml").write_text(VALID, encoding="utf-8")
    return AssistantFiles(tmp_path)


@pytest.mark.parametrize(
    "assistant_id",
    [
        "unknown", "", "valid.toml", "VALID ", "../valid", "../../pyproject", "sub/valid",
        "/etc/passwd", "..", "va\0lid",
    ],
)  # fmt: skip
def test_an_unknown_id_finds_nothing(tmp_path: Path, assistant_id: str) -> None:
    """No error, since some engines need no definition; an id never leaves its directory."""
    inner = tmp_path / "assistants"
    (inner / "sub").mkdir(parents=True)
    for directory in (tmp_path, inner, inner / "sub"):
        (directory / "valid.toml").write_text(VALID, encoding="utf-8")
    assert AssistantFiles(inner).find(assistant_id) is None


KEYS = "model, instructions, variables, max_output_tokens, reasoning_effort, verbosity, checks"
BASE = 'model = "m"\ninstructions = "i"\n'
MANY = "".join(f'[variables.{number}]\ndescription = "d"\n' for number in range(101))
INVALID_FILES = [
    ('model = "m"\nx = ', "expected TOML, found other text: Invalid value (at the end, line 2)"),
    ("model = \n", "expected TOML, found other text: Invalid value (at line 1, column 9)"),
    (f"x = {'9' * 5000}", "expected TOML, found other text: Exceeds the limit (4300 digits)"),
    ('model = "m"', "instructions: expected a non-empty string, found nothing"),
    ('model = ""\ninstructions = "i"', "model: expected a non-empty string, found an empty str"),
    (f"{BASE}max_output_tokens = -1", "max_output_tokens: expected a whole number of at"),
    (f"{BASE}max_lenght = 5", "max_lenght: expected only the keys model, instructions, "),
    (
        f"{BASE}[variable.2]",
        f"variable: expected only the keys {KEYS}, found an object (did you mean variables?)",
    ),
    (
        f'{BASE}[variables.1]\ndescription = "d"\nmax_lenght = 5',
        "variables.1.max_lenght: expected only the keys description, max_length, found a number (d",
    ),
    (
        f'{BASE}[variables."first name"]\ndescription = "d"',
        "variables.first name: expected a name of 1 to 16 letters, digits and underscores",
    ),
    (BASE + MANY, "variables: expected at most 100 variables, found 101"),
]
"""Contents of a file, each with its first problem."""


@pytest.mark.parametrize(("content", "problem"), INVALID_FILES)
def test_an_invalid_file_is_a_refused_configuration(
    tmp_path: Path, content: str, problem: str
) -> None:
    """Every message that names it is retried until a deployment corrects it."""
    path = tmp_path / "broken.toml"
    path.write_text(content)
    expected = re.escape(f"assistant_definition_invalid at ai: {path}: {problem}")
    with pytest.raises(ConfigurationRefused, match=expected):
        AssistantFiles(tmp_path).find("broken")


def test_definitions_are_read_in_utf_8(tmp_path: Path) -> None:
    """A byte order mark is ignored, since some editors write one; other encodings are refused."""
    (tmp_path / "marked.toml").write_text(VALID, encoding="utf-8-sig")
    (tmp_path / "wide.toml").write_text(VALID, encoding="utf-16")
    assert AssistantFiles(tmp_path).find("marked")
    with pytest.raises(ConfigurationRefused, match="expected TOML in UTF-8, found another"):
        AssistantFiles(tmp_path).find("wide")
