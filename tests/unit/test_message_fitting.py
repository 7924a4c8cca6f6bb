"""What the AI wrote is cleaned and checked before it is stored, paid for or sent."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.context import AssistantDefinition, VariableRule
from lambda_src.core.errors import PermanentFailure
from lambda_src.core.message import Answer, check_mode, fit
from lambda_src.core.text_rules import MAX_BODY, MAX_RENDERED, units
from tests.unit.fakes.writer import ANSWER

FREE_TEXT = AssistantDefinition("model", "Write.", {})
anything = st.text(st.characters(codec=None), max_size=300) | st.text(
    "a \t\n\r\x00\x85\u2028\ud83c"
)


def template(**rules: int | None) -> AssistantDefinition:
    """A definition with these variables and their longest values."""
    variables = {name: VariableRule(name, longest) for name, longest in rules.items()}
    return AssistantDefinition("model", "Write.", variables)


def filled(**values: str) -> Answer:
    """An answer that fills these variables."""
    return replace(ANSWER, variables=values)


def text(value: str) -> Answer:
    """An answer in free text."""
    return replace(ANSWER, text=value, variables={})


def why_unfit(answer: Answer, definition: AssistantDefinition) -> str:
    """What the error for an unfit answer says."""
    with pytest.raises(PermanentFailure) as unfit:
        fit(answer, definition)
    assert "ai_answer_unfit" == unfit.value.code
    return unfit.value.detail


@given(anything, anything)
def test_a_fitted_variable_satisfies_twilio(first: str, second: str) -> None:
    """Whatever the AI writes: no line break, tab, run of spaces or half character is left."""
    try:
        fitted = fit(filled(a=first, b=second), template(a=None, b=200))
    except PermanentFailure:
        return
    for value in fitted.variables.values():
        assert value.strip() == value != ""
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]| {2}", value)
        assert value.encode("utf-8").decode("utf-8")
    assert units(fitted.variables["b"]) <= 200
    assert sum(map(units, fitted.variables.values())) <= MAX_RENDERED


@given(anything)
def test_a_fitted_text_satisfies_twilio(written: str) -> None:
    """Whatever the AI writes: the body is filled, within its length, and can be encoded."""
    try:
        body = fit(text(written), FREE_TEXT).text
    except PermanentFailure:
        return
    assert body.strip() == body != ""
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", body)
    assert 0 < units(body) <= MAX_BODY
    assert body.encode("utf-8")


@given(anything)
def test_fitting_twice_is_fitting_once(written: str) -> None:
    """What was cleaned is clean."""
    try:
        fitted = fit(filled(a=written), template(a=None))
    except PermanentFailure:
        return
    assert fitted == fit(fitted, template(a=None))


def test_ordinary_writing_is_left_alone() -> None:
    """Letters, accents, emoji and single spaces pass as they are."""
    values = {"a": "Zoë", "b": "Grüße, 你好 👩‍🚀 – it's 5 o'clock?"}
    assert values == fit(filled(**values), template(a=None, b=None)).variables


def test_whitespace_in_variables_becomes_single_spaces() -> None:
    """Line breaks, tabs and runs of spaces are what Twilio refuses in a variable."""
    fitted = fit(filled(a="\n Hello,\r\n\tAmara!     How\u2028are\x00you? "), template(a=None))
    assert {"a": "Hello, Amara! How are you?"} == fitted.variables


def test_line_breaks_in_free_text_stay() -> None:
    """A body may have lines; other control characters become spaces."""
    assert "Hello,\nAmara ! ?" == fit(text(" Hello,\r\nAmara\x07!\x00? \n"), FREE_TEXT).text


def test_the_order_of_variables_is_the_definitions() -> None:
    """An answer may name its variables in any order."""
    fitted = fit(filled(b="2", a="1"), template(a=None, b=None))
    assert ["a", "b"] == list(fitted.variables)


@pytest.mark.parametrize(
    "values", [{}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"x": "1", "y": "2"}]
)
def test_an_answer_fills_just_the_variables(values: dict[str, str]) -> None:
    """A variable too many, too few or of another name is no answer."""
    expected = "2 variables are defined, the answer does not name just these"
    assert expected == why_unfit(filled(**values), template(a=None, b=None))


@pytest.mark.parametrize("value", ["", " ", "\n\t", "\x00", "\u2028"])
def test_an_empty_variable_is_unfit(value: str) -> None:
    """A variable of nothing but space is empty."""
    assert "variable a is empty" == why_unfit(filled(a=value), template(a=None))


def test_a_variable_is_measured_against_its_rule() -> None:
    """A variable of just its longest value fits, and one character more does not."""
    assert fit(filled(a="x" * 40), template(a=40))
    expected = "variable a has 41 characters, 40 are allowed"
    assert expected == why_unfit(filled(a="x" * 41), template(a=40))


def test_all_variables_fit_one_template() -> None:
    """Together they must not be longer than a rendered template."""
    assert fit(filled(a="x" * 1000, b="y" * 24), template(a=None, b=None))
    expected = "all variables have 1025 characters, 1024 are allowed"
    assert expected == why_unfit(filled(a="x" * 1000, b="y" * 25), template(a=None, b=None))


def test_characters_are_counted_as_twilio_counts() -> None:
    """An emoji is two units or more, a letter one."""
    assert [1, 1, 2, 5] == [units("a"), units("é"), units("🎂"), units("👩‍🚀")]
    assert fit(text("🎂" * 800), FREE_TEXT)
    expected = "the text has 1602 characters, 1600 are allowed"
    assert expected == why_unfit(text("🎂" * 801), FREE_TEXT)


@pytest.mark.parametrize("value", ["", "   ", "\r\n", "\x00\x01"])
def test_an_empty_text_is_unfit(value: str) -> None:
    """A body of nothing but space is empty."""
    assert "the text is empty" == why_unfit(text(value), FREE_TEXT)


def test_an_unfit_answer_is_not_quoted() -> None:
    """The error tells lengths and variables' names, never what was written."""
    for answer, definition in (
        (filled(a="canary " * 200), template(a=None)),
        (text("canary " * 300), FREE_TEXT),
        (filled(canary="canary"), template(a=None)),
    ):
        assert "canary" not in why_unfit(answer, definition)


def test_fitting_keeps_the_rest_of_the_answer() -> None:
    """Ids, tokens and time stay; what the message does not use goes."""
    answer = replace(ANSWER, text="by the way", variables={"a": " x "})
    assert replace(ANSWER, text="", variables={"a": "x"}) == fit(answer, template(a=None))
    assert replace(ANSWER, text="by the way", variables={}) == fit(answer, FREE_TEXT)


def test_without_a_definition_the_answer_is_text() -> None:
    """An assistant that lives on a server of its own writes free text."""
    assert "Hello" == fit(text("Hello"), None).text


def test_the_history_shows_what_was_sent() -> None:
    """The text, or the variables as JSON."""
    assert "Hello" == text("Hello").content
    assert {"a": "Zoë 🎂"} == json.loads(filled(a="Zoë 🎂").content)
    assert "Zoë 🎂" in filled(a="Zoë 🎂").content


@pytest.mark.parametrize(
    ("has_variables", "template_sid"), [(True, None), (True, ""), (False, "HX1")]
)
def test_assistant_and_template_belong_together(
    has_variables: bool, template_sid: str | None
) -> None:
    """Variables need a template, and a template needs variables; told before the AI is asked."""
    with pytest.raises(PermanentFailure) as mismatch:
        check_mode(has_variables=has_variables, template_sid=template_sid)
    assert "assistant_template_mismatch" == mismatch.value.code


@pytest.mark.parametrize(("has_variables", "template_sid"), [(True, "HX1"), (False, None)])
def test_what_belongs_together_passes(has_variables: bool, template_sid: str | None) -> None:
    """A template with variables, or free text with neither."""
    check_mode(has_variables=has_variables, template_sid=template_sid)
