"""What the fake language model generates from facts and schemas."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.fakes.openai.model import generate

FACTS = {
    "company_name": "Harbour Logistics",
    "project_name": "Spring Intake",
    "recipient_first_name": "Ada",
    "project_data": {"job": {"title": "Operative"}, "shifts": 2, "reply_url": "https://x"},
}
SENTENCES = (
    "This is Harbour Logistics. Thank you for your interest in Spring Intake (title Operative,"
    " shifts 2). When would be a good time to talk?"
)


def _property(description: str, *prompt: str) -> str:
    output = generate(list(prompt) or [json.dumps(FACTS)], {"x": description}, None, None)
    text: str = json.loads(output.text)["x"]
    return text


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("How to address the recipient: the first name.", "Ada"),
        ("Name of the company", "Harbour Logistics"),
        ("A greeting", "Hi Ada"),
        ("The message after the greeting: one to three sentences.", SENTENCES),
        ("Anything else", SENTENCES),
    ],
)
def test_a_property_contains_what_its_description_names(description: str, text: str) -> None:
    """A property's description selects the fact, or the whole message."""
    assert text == _property(description)


@pytest.mark.parametrize("limit", [40, 100])
def test_a_text_is_shortened_at_a_sentence_or_word(limit: int) -> None:
    """The limit of the description is kept, without a partial word at the end."""
    text = _property(f"Two sentences. At most {limit} characters.")
    assert limit // 2 <= len(text) <= limit
    assert SENTENCES.startswith(text.rstrip("."))
    assert text == text.strip(" ,(")


@settings(max_examples=50)
@given(st.recursive(st.none() | st.floats() | st.text(), st.lists), st.text(), st.integers(1, 200))
def test_a_property_fits_a_template(data: Any, description: str, limit: int) -> None:
    """A text is never empty, has one line and keeps to its limit, for any project data."""
    prompt = json.dumps({"project_data": data, "company_name": description})
    text = _property(f"At most {limit} characters. {description}", prompt)
    assert 1 <= len(text) <= limit
    assert text == " ".join(text.split())


def test_facts_come_from_the_most_recent_object() -> None:
    """Later texts of the prompt count only if the earlier ones are not JSON objects."""
    older = json.dumps({"recipient_first_name": "Bob"})
    assert "Ada" == _property("first name", "And now?", json.dumps(FACTS), older)
    assert "there" == _property("first name", '{"a":' * 100_000)
    deep = '{"project_data":' + '{"a":' * 300 + "1" + "}" * 300 + ',"recipient_first_name":"Ada"}'
    assert "Ada" == _property("first name", deep)
