"""Reading context objects to send."""

import json
from pathlib import Path

import pytest

from local import paths
from local.channel import RecordKey
from local.contexts import EXAMPLE, example, message_group, read_context
from local.errors import LocalCloudError


def test_the_text_goes_on_the_queue_as_it_is() -> None:
    """A context object's file is sent letter by letter."""
    assert EXAMPLE.read_text("utf-8") == read_context(EXAMPLE)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A path without a file is an error with the path and the reason."""
    with pytest.raises(LocalCloudError, match=r"nowhere\.json: No such file"):
        read_context(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"a" 1}', "is not JSON: .* at line 1, column 6"),
        (b"", "is not JSON: .* at line 1, column 1"),
        (b"\xff\xfe", "not a text file"),
    ],
)
def test_what_is_not_json_is_an_error_that_says_where(
    tmp_path: Path, content: bytes, error: str
) -> None:
    """A file that holds no JSON is an error with the place of the first problem."""
    path = tmp_path / "context.json"
    path.write_bytes(content)
    with pytest.raises(LocalCloudError, match=error):
        read_context(path)


def test_an_example_can_be_a_conversation_of_its_own() -> None:
    """An example is varied in its conversation and its recipient only."""
    varied = json.loads(example("whatsapp", conversation_id="c", recipient="+447700900199"))
    original = json.loads(EXAMPLE.read_text("utf-8"))
    assert RecordKey("+447700900199", "c") == RecordKey.of(json.dumps(varied))
    assert original["company_data_payload"] == varied["company_data_payload"]


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"conversation_data": {"conversation_id": 1}}', "null"]
)
def test_a_key_that_cannot_be_told_is_none(body: str) -> None:
    """A body that names no conversation has no key."""
    assert RecordKey.of(body) is None


def test_the_message_group_is_the_company() -> None:
    """What the router sets for an example is the company that it names."""
    assert "demo-company" == message_group(EXAMPLE.read_text("utf-8"))


@pytest.mark.parametrize("company", [None, 7, "", "with space", "café", "c" * 129])
def test_a_company_that_names_no_group_is_none(company: object) -> None:
    """Only what SQS takes as a message group's id is one: a message can go without."""
    body = json.dumps({"frontend_payload": {"company_data": {"company_id": company}}})
    assert message_group(body) is None


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"frontend_payload": []}'])
def test_a_body_without_a_company_has_no_group(body: str) -> None:
    """Bad input can be sent too, to see what becomes of it."""
    assert message_group(body) is None


def test_examples_name_no_real_phone_numbers() -> None:
    """Every phone number of the examples is from a range kept for fiction."""
    for path in paths.EXAMPLE_CONTEXTS.glob("*.json"):
        context = json.loads(path.read_text("utf-8"))
        recipient = context["frontend_payload"]["recipient_data"]["recipient_tel"]
        assert recipient.replace(" ", "").startswith(("+447700900", "07700900"))
        for channel, sender in context["company_data_payload"]["channel_config"].items():
            assert "5550100" in sender[f"company_{channel}_number"].replace(" ", "")
