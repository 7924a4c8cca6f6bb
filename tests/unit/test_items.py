"""Conversation records as DynamoDB items, and JSON values in DynamoDB's notation."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import Redelivery, RejectedContext, UnrecognizedRecord
from lambda_src.core.ledger import Intent, Lease, LedgerRecord
from lambda_src.core.models import Answer, Usage
from lambda_src.services.dynamodb import items
from lambda_src.services.dynamodb.marshalling import MAX_DEPTH, deserialize, exceeds_size, serialize
from tests.support import contexts
from tests.support.clock import START
from tests.support.fakes import ANSWER
from tests.support.records import HELD_LEASE, LEDGER_RECORD, failure
from tests.support.runtime import KEY
from tests.unit.test_context import json_values, nested

CONTEXT = contexts.parse(contexts.complete())
UNRESOLVED = {
    "conversation_status": "sending",
    "lease_owner": "owner-1",
    "attempt": 2,
    "lease_expires_at": items.to_decimal(START + 90),
    "ai_answer": items.answer_attributes(ANSWER),
    "send_intent_at": items.to_decimal(START),
    "send_deadline": items.to_decimal(START + 15),
    "intent_id": "intent-1",
    "settle_looks": 1,
    "created_at": items.timestamp(START - 5),
    "failure": items.failure_attributes(failure(Status.RETRY)),
}


EMPTY = LedgerRecord(KEY, Status.SENDING, "", 0, 0.0, None, None, 0, "", 0.0)
"""A record with nothing but a status."""


def _read(record: dict[str, Any]) -> LedgerRecord:
    return items.to_ledger_record(serialize(items.key_attributes(KEY) | record), Step.CLAIM)


# --- written records


def test_the_context_cannot_overwrite_the_ledger() -> None:
    """A field of the context object with a ledger's name is not the ledger's."""
    context = replace(CONTEXT, attributes={"conversation_status": "x", "lease_owner": "x"})
    expected = replace(LEDGER_RECORD, channel="")
    assert expected == _read(items.new_record(context, HELD_LEASE, "1"))


times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
tokens = st.integers(0, 10**9)
variables = st.dictionaries(st.text(min_size=1), st.text())
usages = st.builds(Usage, tokens, tokens, tokens)
answers = st.builds(Answer, *[st.text()] * 4, variables, usages)


@given(times, times, answers)
def test_a_record_is_read_as_it_was_written(at: float, expires: float, answer: Answer) -> None:
    """Times keep their milliseconds, and an answer every character."""
    record = items.new_record(CONTEXT, Lease(KEY, "owner", 7, expires, at), "1") | {
        "ai_answer": items.answer_attributes(answer),
        "send_intent_at": items.to_decimal(at),
        "send_deadline": items.to_decimal(expires),
        "settle_looks": 2,
    }
    found = _read(record)
    expected = (7, expires, answer, Intent(at, expires), 2)
    intended = (found.answer, found.intent, found.lookups)
    assert expected == (found.attempt, found.lease_expires_at, *intended)
    assert at == pytest.approx(found.created_at, abs=0.001)


def test_a_rejected_record_has_no_lease() -> None:
    """It has the reason and the request, if that is known, and nothing of the context object."""
    rejected = failure(Status.FAILED, "consent_not_given")
    record = items.rejected_record(KEY, rejected, "request-1", "1")
    expected = replace(EMPTY, status=Status.FAILED, created_at=START, failure_code=rejected.code)
    assert (expected, "request-1") == (_read(record), record["request_id"])
    assert "request_id" not in items.rejected_record(KEY, rejected, None, "1")


def test_whatever_can_be_parsed_can_be_stored() -> None:
    """No nesting is read and then refused by the table."""
    for levels in range(150, 250):
        document = contexts.changed("frontend_payload.project_data", nested(levels))
        try:
            context = contexts.parse(document)
        except RejectedContext:
            break
        assert serialize(items.new_record(context, HELD_LEASE, "1"))
    assert 150 < levels < 249


# --- records that others wrote


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SENT])
def test_a_record_with_only_a_status_is_read(status: Status) -> None:
    """A record that a tool created has no lease, no answer and no intent."""
    assert replace(EMPTY, status=status) == _read({"conversation_status": status})


@pytest.mark.parametrize("status", ["pending", "", "SENT", 7, None, ["sent"]])
def test_an_unknown_status_is_reported_and_not_quoted(status: object) -> None:
    """Such a record is not the ledger's, and stays unchanged."""
    with pytest.raises(
        UnrecognizedRecord, match="record_foreign at claim: conversation_status"
    ) as e:
        _read({"conversation_status": status})
    assert (Redelivery.AT_ONCE, None) == (e.value.redelivery, e.value.recorded_status)
    assert "pending" not in str(e.value)
    with pytest.raises(UnrecognizedRecord, match="record_foreign"):
        _read({})


def test_a_record_with_a_sid_was_sent() -> None:
    """Other systems may continue a conversation in their own states."""
    found = _read({"conversation_status": "replied", "message_sid": "SM1"})
    assert (Status.SENT, "SM1") == (found.status, found.vendor_id)


def test_a_record_is_created_no_later_than_its_intent() -> None:
    """Without a creation time the intent is the earliest that is known."""
    record = {name: value for name, value in UNRESOLVED.items() if name != "created_at"}
    assert START == _read(record).created_at


@given(st.sampled_from(sorted(UNRESOLVED.keys() - {"conversation_status"})), st.data())
def test_an_attribute_of_another_type_reads_as_empty(name: str, data: st.DataObject) -> None:
    """Whatever value an attribute has, the record can be read."""
    odd = st.sampled_from([None, True, "", "soon", Decimal("1.5"), [], ["x"], {}, {"x": None}])
    found = _read(UNRESOLVED | {name: data.draw(odd)})
    assert (KEY, Status.SENDING) == (found.key, found.status)


@pytest.mark.parametrize("missing", [*items.answer_attributes(ANSWER)])
def test_an_incomplete_answer_reads_as_none(missing: str) -> None:
    """It cannot be sent, and is asked for again."""
    stored = {n: part for n, part in items.answer_attributes(ANSWER).items() if n != missing}
    assert _read(UNRESOLVED | {"ai_answer": stored}).answer is None


def test_a_querys_attributes_have_the_whole_state() -> None:
    """Except for the failure."""
    queried = {n: value for n, value in UNRESOLVED.items() if n in items.LEDGER_ATTRIBUTES}
    whole = _read(UNRESOLVED)
    assert whole == _read({**queried, "failure": UNRESOLVED["failure"]})
    assert "openai_500" == whole.failure_code


# --- DynamoDB's notation


def _stored(value: Any) -> Any:
    return deserialize(serialize({"x": value}))["x"]


def _containers(value: Any, depth: int = 1) -> Iterator[tuple[int, Any]]:
    if isinstance(value, dict | list):
        yield depth, value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part, depth + 1)


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("", False), ("k", True), ("k" * 65_535, True), ("k" * 65_536, False),
        ("é" * 32_767, True), ("é" * 32_768, False),
    ],
)  # fmt: skip
def test_an_object_with_a_refused_name_is_stored_as_text(name: str, is_valid: bool) -> None:
    """Names have 1 to 65,535 bytes; only that object is text, and nothing is lost."""
    value = {"job": {name: [1.5], "title": "Operative"}, "rate": 12}
    returned = _stored(value)
    job = returned["job"] if is_valid else json.loads(returned["job"])
    assert (value["job"], 12) == (job, returned["rate"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.85, Decimal("12.85")), (0.1 + 0.2, Decimal("0.30000000000000004")),
        (-0.0, Decimal("0")), (10**37, Decimal(10**37)), (10**38 + 1, str(10**38 + 1)),
        (1e125, Decimal("1e125")), (9.9e125, Decimal("9.9e125")), (-1e126, "-1e+126"),
        (1e-130, Decimal("1e-130")), (1e-131, "1e-131"), (float("nan"), "nan"),
        (float("inf"), "inf"), (True, True), (None, None), ("", ""),
        (Status.SENT, "initial_message_sent"),
    ],
)  # fmt: skip
def test_numbers_are_stored_exactly_or_as_text(value: object, expected: object) -> None:
    """None is rounded."""
    assert expected == _stored(value)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [({"SS": ["a"]}, ["a"]), ({"NS": ["1"]}, [Decimal(1)]), ({"B": b"x"}, b"x")],
)
def test_other_systems_types_are_read(typed: dict[str, Any], expected: object) -> None:
    """Sets as lists; bytes are also written back."""
    assert {"x": expected} == deserialize({"x": typed})
    if "B" in typed:
        assert {"x": typed} == serialize({"x": expected})


@pytest.mark.parametrize("levels", [1, MAX_DEPTH, MAX_DEPTH + 1, 300, 900])
def test_deep_nesting_is_stored_as_text(levels: int) -> None:
    """What is too deep for DynamoDB's 32 levels is the JSON text of that part."""
    returned = _stored(nested(levels))
    assert max((depth for depth, _ in _containers(returned)), default=0) < 32 - 4
    unfolded, count = returned, 0
    while unfolded:
        unfolded = json.loads(unfolded) if isinstance(unfolded, str) else unfolded["deeper"]
        count += not isinstance(unfolded, str)
    assert levels == count


def size_of(typed: dict[str, Any]) -> int:
    """Return the bytes of a value in DynamoDB's notation, as its documentation counts them."""
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return 2 + (len(Decimal(value).as_tuple().digits) + 1) // 2
        case "M":
            fields = sum(len(name.encode()) + size_of(part) for name, part in value.items())
            return 3 + len(value) + fields
        case "L":
            return 3 + len(value) + sum(map(size_of, value))
    return 1


@given(json_values, st.integers(0, MAX_DEPTH + 3))
def test_a_size_is_known_before_serialization(value: Any, levels: int) -> None:
    """It is the notation's, also for what is stored as text."""
    for _ in range(levels):
        value = [value]
    size = 4 + size_of(serialize({"name": value})["name"])
    assert not exceeds_size(size, {"name": value})
    assert exceeds_size(size - 1, {"name": value})
