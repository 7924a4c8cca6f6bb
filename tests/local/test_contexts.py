"""Reading context objects to send."""

import json
from pathlib import Path

import pytest

from lambda_src.core.models import RecordKey
from local import paths
from local.channel import record_key
from local.contexts import EXAMPLE, company_id, example, read_context
from local.errors import LocalCloudError


def test_a_context_is_sent_unchanged() -> None:
    """The text of a context object's file is sent as it is."""
    assert EXAMPLE.read_text("utf-8") == read_context(EXAMPLE)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, r"context\.json: No such file"),
        (b'{"a" 1}', "is not JSON: .* at line 1, column 6"),
        (b"", "is not JSON: .* at line 1, column 1"),
        (b"\xff\xfe", "not a text file"),
    ],
)
def test_an_unreadable_context_is_an_error(
    tmp_path: Path, content: bytes | None, error: str
) -> None:
    """A file that is missing or not JSON is an error with the path and the position."""
    path = tmp_path / "context.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LocalCloudError, match=error):
        read_context(path)


def test_an_example_can_have_its_own_conversation() -> None:
    """Only the conversation and the recipient of an example are replaced."""
    varied = json.loads(example("whatsapp", conversation_id="c", recipient="+447700900199"))
    original = json.loads(EXAMPLE.read_text("utf-8"))
    assert RecordKey("+447700900199", "c") == record_key(json.dumps(varied))
    assert original["company_data_payload"] == varied["company_data_payload"]


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "{}", "null", '{"frontend_payload": []}'),
        '{"conversation_data": {"conversation_id": 1}}',
        '{"frontend_payload": {"company_data": {"company_id": 7}}}',
    ],
)
def test_an_invalid_body_has_neither_key_nor_company(body: str) -> None:
    """A body without a conversation id or company id can be sent all the same."""
    assert (None, "") == (record_key(body), company_id(body))


def test_the_company_of_an_example_is_read() -> None:
    """The company id of a context object is that of its company data."""
    assert "demo-company" == company_id(EXAMPLE.read_text("utf-8"))


def test_examples_contain_no_real_phone_numbers() -> None:
    """Every phone number of the examples is from a range reserved for fiction."""
    for path in paths.EXAMPLE_CONTEXTS.glob("*.json"):
        context = json.loads(path.read_text("utf-8"))
        recipient = context["frontend_payload"]["recipient_data"]["recipient_tel"]
        assert recipient.replace(" ", "").startswith(("+447700900", "07700900"))
        for channel, sender in context["company_data_payload"]["channel_config"].items():
            assert "5550100" in sender[f"company_{channel}_number"].replace(" ", "")
