"""What the stand-in for OpenAI makes of prompts and schemas."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stand_ins.openai.documents import document
from local.stand_ins.openai.known_facts import KnownFacts
from local.stand_ins.openai.writer import Writer

TOLD = json.dumps(
    {
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "recipient_first_name": "Ada",
        "project_data": {"job": {"title": "Operative"}, "shifts": 2},
    }
)


def _filled(
    properties: dict[str, Any], *, told: str = TOLD, defs: dict[str, Any] | None = None
) -> Any:
    wanted = {"type": "object", "properties": properties, "$defs": defs or {}}
    content = json.loads(document(wanted, Writer(KnownFacts([told]))))
    jsonschema.validate(content, wanted)
    return content


@pytest.mark.parametrize(
    ("name", "description", "text"),
    [
        ("first_name", "", "Ada"),
        ("1", "How to address the recipient: the first name.", "Ada"),
        ("company", "Name of the company", "Harbour Logistics"),
        ("project_name", "", "Spring Intake"),
        ("opening", "A greeting", "Hi Ada"),
        ("reason", "", "We would love to help with Spring Intake (title Operative, shifts 2)."),
        ("1", "The greeting", "Hi Ada"),
        ("question", "", "When would be a good time to talk?"),
    ],
)
def test_properties_are_filled_with_what_they_ask_for(
    name: str, description: str, text: str
) -> None:
    """A property's name and description decide which fact it gets."""
    property_schema = {"type": "string", "description": description}
    assert {name: text} == _filled({name: property_schema})


def test_an_unknown_property_tells_of_its_description() -> None:
    """A property of which nothing is known gets the project and its own description."""
    filled = _filled({"2": {"type": "string", "description": "Favourite colour"}})
    assert "Spring Intake (title Operative, shifts 2), favourite colour" == filled["2"]


@pytest.mark.parametrize(
    "limit",
    [
        {"description": "Two sentences, at most 40 characters."},
        {"description": "Up to 40 characters of text"},
        {"description": "Sentences of 40 characters or fewer"},
        {"description": "Sentences", "maxLength": 40},
    ],
)
def test_texts_keep_to_their_limit(limit: dict[str, object]) -> None:
    """A limit in the description or the schema is kept, without half words at the end."""
    text = _filled({"text": {"type": "string"} | limit})["text"]
    assert 20 <= len(text) <= 40
    assert text == text.strip(" ,(")


def test_every_kind_of_property_is_filled() -> None:
    """Numbers, booleans, lists, choices, references, constants and nested objects are filled."""
    inner = {"type": "object", "properties": {"name": {"type": "string"}}}
    filled = _filled(
        {
            "whole": {"type": "integer", "minimum": 7},
            "yes": {"type": "boolean"},
            "nothing": {"type": "null"},
            "some": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            "choice": {"type": "string", "enum": ["red", "blue"]},
            "fixed": {"const": "x"},
            "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "maybe": {"type": ["boolean", "null"]},
            "day": {"type": "string", "format": "date"},
            "long": {"type": "string", "minLength": 300},
            "linked": {"$ref": "#/$defs/inner"},
        },
        defs={"inner": inner},
    )
    assert (7, True, None, [1, 1]) == tuple(filled[n] for n in ("whole", "yes", "nothing", "some"))
    assert ("red", "x", 1, True) == tuple(filled[n] for n in ("choice", "fixed", "either", "maybe"))
    assert {"name"} == set(filled["linked"])


@given(st.text(), st.text(), st.integers(1, 200))
def test_texts_fit_a_template_whatever_is_asked(told: str, description: str, limit: int) -> None:
    """A text is never empty, is one line, and keeps to its limit, for any prompt."""
    schema = {"type": "string", "description": description, "maxLength": limit}
    text = _filled({"x": schema}, told=told)["x"]
    assert 1 <= len(text) <= limit
    assert text == " ".join(text.split())


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_json_can_be_read(value: object) -> None:
    """Facts can be read from any JSON, wherever it stands in a text."""
    facts = KnownFacts([f"before {json.dumps({'project_data': value, 'first_name': 'Ada'})} after"])
    assert "Ada" == facts.value("first_name")


def test_facts_are_found_in_plain_text() -> None:
    """Lines of the form label: value are facts too."""
    facts = KnownFacts(["- Company name: Acme\nRecipient's first name = Ada\nnothing here"])
    assert ("Acme", "Ada") == (facts.value("company_name"), facts.value("first_name"))
    assert facts.value("project_name") is None


def test_earlier_texts_count_more() -> None:
    """What stands in the first text is not overwritten by later ones."""
    facts = KnownFacts(['{"first_name": "Ada"}', '{"first_name": "Bob", "company_name": "Acme"}'])
    assert ("Ada", "Acme") == (facts.value("first_name"), facts.value("company_name"))


def test_deeply_nested_json_is_read() -> None:
    """Hundreds of levels are no problem, and what cannot be parsed is passed over."""
    deep = '{"a":' * 300 + '{"first_name": "Ada"}' + "}" * 300
    assert "Ada" == KnownFacts([deep]).value("first_name")
    assert KnownFacts(['{"a":' * 100_000]).value("first_name") is None
