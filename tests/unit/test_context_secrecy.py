"""Values of a context object never get into an error, whatever is wrong with it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core.rejection import RejectedContext
from tests.unit import contexts
from tests.unit.contexts import changed, complete

MARK = "canary!"
KEPT = {"whatsapp", "active", "assistants"}
"""Strings that a valid context object must hold as they are."""
FREE = (
    "metadata.router_version",
    "conversation_data.conversation_id",
    "company_data_payload.company_name",
    "frontend_payload.recipient_data.recipient_first_name",
    "frontend_payload.recipient_data.recipient_email",
    "frontend_payload.company_data.api_key",
)


def planted(value: Any) -> Any:
    """The same JSON with a canary in every string that may be any text."""
    match value:
        case dict():
            return {name: planted(part) for name, part in value.items()}
        case list():
            return [planted(part) for part in value]
        case str() if value not in KEPT:
            return f"{MARK} {value}"
    return value


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of everything in an object that is not below an array."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{prefix}{name}"
            yield from paths(part, f"{prefix}{name}.")


wrong_values = st.one_of(
    st.just(MARK),
    st.just([MARK]),
    st.just({MARK: MARK}),
    st.just({f"{MARK} {{expected}}": {"description": MARK}}),
    st.text(max_size=5).map(lambda text: MARK + text),
    st.integers(),
    st.none(),
)


@settings(max_examples=200)
@given(
    breakages=st.dictionaries(st.sampled_from(list(paths(complete()))), wrong_values, min_size=1),
    is_planted=st.booleans(),
)
def test_no_value_gets_into_an_error(breakages: dict[str, object], is_planted: bool) -> None:
    """However a context object is broken, its error quotes none of its values."""
    document = planted(complete()) if is_planted else complete()
    for path, value in breakages.items():
        _break(document, path, value)
    for error in rejections(document):
        told = [str(error), repr(error), error.detail, error.code, error.event, *error.args]
        assert not [text for text in told if MARK in text]
        assert not [problem for problem in error.problems if MARK in repr(problem)]
        assert error.__cause__ is None
        assert error.__suppress_context__


def rejections(document: object) -> list[RejectedContext]:
    """The error for a document, if it is no valid context object."""
    try:
        contexts.parse(document)
    except RejectedContext as rejected:
        return [rejected]
    return []


def _break(document: dict[str, Any], path: str, value: object) -> None:
    with suppress(TypeError, KeyError):  # where its parent is broken already
        changed(path, json.loads(json.dumps(value)), document)


VARIABLES = "company_data_payload.ai_config.openai_config.whatsapp.assistant.variables"


@pytest.mark.parametrize(
    "name",
    ["Amara_Okafor", "447700900123", f"{MARK} Amara", f"{MARK}@example.org", MARK * 11, "🎂"],
)
def test_made_up_field_names_are_not_quoted(name: str) -> None:
    """A variable's name comes out of the message as well, and may be anybody's."""
    document = changed(VARIABLES, {name: {"description": "", "max_length": 0}}, complete())
    with pytest.raises(RejectedContext) as rejected:
        contexts.parse(document)
    expected = {f"{VARIABLES}.?.description", f"{VARIABLES}.?.max_length"}
    assert expected == {p.field for p in rejected.value.problems} - {f"{VARIABLES}.?.[key]"}
    assert name not in str(rejected.value)


@pytest.mark.parametrize("text", [f"{MARK}", f'{{"a": "{MARK}', f'["{MARK}"]', f'"{MARK}"'])
def test_a_body_that_is_no_object_is_not_quoted(text: str) -> None:
    """Nor does the error of a body that cannot be read, by itself or by its cause."""
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(text)
    assert MARK not in str(rejected.value)
    assert rejected.value.__suppress_context__ or rejected.value.__context__ is None


def test_a_planted_context_object_is_valid_where_text_is_free() -> None:
    """The canaries themselves are no problem: only numbers, references and times have a form."""
    document = complete()
    for path in FREE:
        changed(path, MARK, document)
    assert MARK == contexts.parse(document).key.conversation_id
    assert MARK not in json.dumps(contexts.parse(document).attributes["ai_config"])
