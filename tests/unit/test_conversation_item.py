"""A conversation's record as a DynamoDB item."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Status
from lambda_src.core.errors import RejectedContext
from lambda_src.core.ledger import Claim, Entry, Intent
from lambda_src.core.message import Answer, Usage
from lambda_src.services import conversation_item as item
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import CLAIM, ENTRY, SENT, failure
from tests.unit.test_context_content import json_values, nested

CONTEXT = contexts.parse(contexts.complete())
DYNAMODB_LEVELS = 32
"""How deep DynamoDB lets a document be."""

times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
answers = st.builds(
    Answer,
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.text()),
    st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)),
)


def stored(record: dict[str, Any]) -> dict[str, Any]:
    """What comes back of a record, in Python's own terms."""
    deserializer = TypeDeserializer()
    return {
        name: deserializer.deserialize(value) for name, value in item.serialized(record).items()
    }


def depth(value: Any) -> int:
    """How deep a value is nested."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, parts), default=0) if isinstance(value, dict | list) else 0


def entry_of(record: dict[str, Any]) -> Entry:
    """What a record says of its conversation's state."""
    return item.to_entry(item.serialized(record))


def test_a_first_record_says_what_a_claim_is() -> None:
    """Owner, attempt, lease and time come back as they went in."""
    assert ENTRY == entry_of(item.new_record(CONTEXT, CLAIM, "1.2.3"))


def test_a_first_record_holds_the_documented_attributes() -> None:
    """Beside the context's: status, flags, an empty history, version and times."""
    record = stored(item.new_record(CONTEXT, CLAIM, "1.2.3"))
    expected = {
        "primary_channel": contexts.RECIPIENT,
        "conversation_id": contexts.CONVERSATION,
        "conversation_status": "processing",
        "task_complete": 0,
        "messages": [],
        "hand_off_to_human": False,
        "function_call": False,
        "processor_version": "1.2.3",
        "router_version": "2.4.0",
        "created_at": "2027-01-15T08:00:00.000+00:00",
        "updated_at": "2027-01-15T08:00:00.000+00:00",
    }
    assert expected == {name: record[name] for name in expected}
    assert set(CONTEXT.attributes) <= set(record)


def test_the_context_cannot_overwrite_the_ledger() -> None:
    """A carried-over field of a ledger's name is not the ledger's."""
    context = replace(CONTEXT, attributes={"conversation_status": "x", "lease_owner": "x"})
    assert ENTRY == entry_of(item.new_record(context, CLAIM, "1"))


@given(times, times, answers)
def test_a_record_comes_back_as_it_was_written(at: float, lease: float, answer: Answer) -> None:
    """Times keep their milliseconds, and an answer every letter."""
    claim = Claim(KEY, "owner", 7, lease, at)
    record = item.new_record(CONTEXT, claim, "1") | {
        "ai_answer": item.from_answer(answer),
        "send_intent_at": item.number(at),
        "send_deadline": item.number(lease),
        "settle_looks": 2,
    }
    entry = entry_of(record)
    assert (7, lease, answer, Intent(at, lease), 2) == (
        entry.attempt,
        entry.lease_expires_at,
        entry.answer,
        entry.intent,
        entry.looks,
    )
    assert at == pytest.approx(entry.created_at, abs=0.001)


def test_a_rejection_is_a_record_without_an_owner() -> None:
    """It says who was refused and why, and nothing of the context object."""
    record = item.rejection(KEY, failure(Status.FAILED, "consent_not_given"), "request-1", "1")
    entry = entry_of(record)
    assert (Status.FAILED, "", 0, None) == (
        entry.status,
        entry.owner,
        entry.attempt,
        entry.answer,
    )
    assert ("request-1", "consent_not_given") == (record["request_id"], record["failure"]["code"])


def test_a_rejection_may_lack_a_request() -> None:
    """An unknown request id is left out, not empty."""
    assert "request_id" not in item.rejection(KEY, failure(Status.FAILED), None, "1")


def test_a_failure_tells_code_step_and_time() -> None:
    """As the record's `failure` is documented."""
    expected = {
        "code": "openai_500",
        "step": "ai",
        "detail": "",
        "at": "2027-01-15T08:00:00.000+00:00",
    }
    assert expected == item.from_failure(failure(Status.RETRY, at=START))


def test_the_history_holds_the_sent_message() -> None:
    """With id, time, role, content and tokens."""
    expected = {
        "message_id": "resp_1",
        "timestamp": "2027-01-15T08:00:01.000+00:00",
        "role": "assistant",
        "content": json.dumps(dict(ANSWER.variables)),
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
    }
    assert expected == item.history_entry(SENT)


@given(st.dictionaries(st.text(min_size=1), json_values, max_size=4))
def test_any_json_can_be_stored(value: dict[str, Any]) -> None:
    """Whatever the project's data is, DynamoDB's notation of it exists, and keeps its shape."""
    returned = stored({"project_data": value})["project_data"]
    assert list(value) == list(returned)
    assert depth(value) == depth(returned)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.85, Decimal("12.85")),
        (0.1 + 0.2, Decimal("0.30000000000000004")),
        (-0.0, Decimal("0")),
        (10**37, Decimal(10**37)),
        (10**38 + 1, str(10**38 + 1)),
        (1e125, Decimal("1e125")),
        (9.9e125, Decimal("9.9e125")),
        (-1e126, "-1e+126"),
        (1e-130, Decimal("1e-130")),
        (1e-131, "1e-131"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, True),
        (None, None),
        ("", ""),
        (Status.SENT, "initial_message_sent"),
    ],
)
def test_odd_values_are_stored_exactly_or_as_text(value: object, expected: object) -> None:
    """A number that DynamoDB cannot hold exactly is kept as its text; none is rounded."""
    assert {"x": expected} == stored({"x": value})


@pytest.mark.parametrize("levels", [1, item.DEEPEST, item.DEEPEST + 1, 300, 900])
def test_deep_nesting_is_stored_as_text_from_where_it_is_too_deep(levels: int) -> None:
    """Nothing is lost: what lies too deep for DynamoDB is the JSON text of that part."""
    returned = stored({"project_data": nested(levels)})["project_data"]
    assert depth(returned) < DYNAMODB_LEVELS - 4
    unfolded, count = returned, 0
    while unfolded:
        unfolded = json.loads(unfolded) if isinstance(unfolded, str) else unfolded["deeper"]
        count += not isinstance(unfolded, str)
    assert levels == count


def test_whatever_can_be_parsed_can_be_stored() -> None:
    """No nesting gets through the parser and then fails at the table."""
    levels = 450
    while (context := parsed(levels)) is not None:
        record = item.new_record(context, CLAIM, "1")
        assert item.size(record) > 0
        assert item.serialized(record)
        levels += 1
    assert levels > 450


def parsed(levels: int) -> Any:
    """The context object of a project so deep, or None where that is too deep to be read."""
    document = contexts.changed("frontend_payload.project_data", "here")
    body = contexts.body(document).replace('"here"', '{"a":' * levels + "{}" + "}" * levels)
    try:
        return contexts.parser(body)
    except RejectedContext:
        return None


def test_a_records_size_counts_bytes() -> None:
    """Letters of several bytes count as such."""
    assert 2 < item.size({"x": "é" * 100}) - item.size({"x": "e" * 100}) == 100
    assert item.size({"x": Decimal("1.5"), "y": Status.SENT})


def test_the_largest_record_leaves_room_for_what_follows() -> None:
    """Answer, history and ledger still fit into DynamoDB's 400 KB after a largest record."""
    longest = replace(ANSWER, variables={"1": "😀" * 512}, text="😀" * 800)
    grown = item.size(
        {
            "ai_answer": item.from_answer(longest),
            "messages": [item.history_entry(replace(SENT, answer=longest))],
            "failure": item.from_failure(failure(Status.FAILED)),
        }
    )
    assert item.LARGEST + grown < 400_000
