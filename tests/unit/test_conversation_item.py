"""A conversation's record as a DynamoDB item."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Claim, Entry, Intent
from lambda_src.core.message import Answer, Usage
from lambda_src.core.rejection import RejectedContext
from lambda_src.services import conversation_item as item
from lambda_src.services.conversation_entry import to_entry
from lambda_src.services.dynamodb_values import deserialized, is_larger_than, serialized
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import CLAIM, ENTRY, SENT, failure

CONTEXT = contexts.parse(contexts.complete())
times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
answers = st.builds(
    Answer,
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.dictionaries(st.text(min_size=1), st.text()),
    st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)),
)


def entry_of(record: dict[str, Any]) -> Entry:
    """What a record says of its conversation's state."""
    return to_entry(serialized(record), Step.CLAIM)


def test_a_first_record_says_what_a_claim_is() -> None:
    """Owner, attempt, lease and time come back as they went in."""
    assert ENTRY == entry_of(item.new_record(CONTEXT, CLAIM, "1.2.3"))


def test_a_first_record_holds_the_documented_attributes() -> None:
    """Beside the context's: status, flags, an empty history, version and times."""
    record = deserialized(serialized(item.new_record(CONTEXT, CLAIM, "1.2.3")))
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
    assert replace(ENTRY, channel="") == entry_of(item.new_record(context, CLAIM, "1"))


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


def test_whatever_can_be_parsed_can_be_stored() -> None:
    """No nesting gets through the parser and then fails at the table."""
    levels = 450
    while (context := parsed(levels)) is not None:
        record = item.new_record(context, CLAIM, "1")
        assert serialized(record)
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


def test_the_largest_record_leaves_room_for_what_follows() -> None:
    """Answer, history and ledger still fit into DynamoDB's 400 KB after a largest record."""
    longest = replace(ANSWER, variables={"1": "😀" * 512}, text="😀" * 800)
    grown = {
        "ai_answer": item.from_answer(longest),
        "messages": [item.history_entry(replace(SENT, answer=longest))],
        "failure": item.from_failure(failure(Status.FAILED)),
    }
    assert not is_larger_than(400_000 - item.LARGEST, grown)
