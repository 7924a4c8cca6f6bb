"""A context object that is rebuilt from its record is read as the message was."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.channels import parts_of
from lambda_src.core.drafts.rebuild import (
    COMPANY_FIELDS,
    REQUIRED,
    first_asked_at,
    rebuild_context,
)
from lambda_src.core.drafts.rebuild import RECORDED_PREFIXES as PREFIXES
from lambda_src.core.errors import UnrecognizedRecord
from lambda_src.core.ledger import Lease
from lambda_src.core.models import ContextObject, RecordKey
from lambda_src.services.dynamodb import items
from lambda_src.services.dynamodb.marshalling import deserialize, serialize_record
from lambda_src.utils.context_processor import ContextParser
from lambda_src.utils.context_schema import CompanyDataPayload
from local import paths
from tests.support import contexts
from tests.support.clock import START
from tests.support.contexts import OPTIONAL, body, changed, parser, valid
from tests.unit.test_context import json_values, nested

LEASE = Lease(RecordKey(contexts.RECIPIENT, contexts.CONVERSATION), "owner", 1, START + 80, START)
FREE = ["company_rep", "rate_limits", "auto_queue_windows", "ai_config.other", "channel_config.sms"]
PROJECT = "frontend_payload.project_data"

numbers = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
values = json_values | numbers | st.integers(20, 60).map(nested)
objects = st.dictionaries(st.text(), values, max_size=4)


def _record(context: ContextObject) -> dict[str, Any]:
    """Return a context's record as it is read from the table."""
    item = serialize_record(items.new_record(context, LEASE, "2.0.0"), items.MAX_RECORD_BYTES)
    assert item
    return deserialize(item)


@given(
    present=st.sets(st.sampled_from(sorted(OPTIONAL))),
    project=objects,
    free=st.dictionaries(st.sampled_from(FREE), objects),
    names=st.lists(st.text(min_size=1), min_size=2, max_size=2),
)
def test_a_rebuilt_context_object_is_read_as_the_message(
    present: set[str], project: dict[str, Any], free: dict[str, Any], names: list[str]
) -> None:
    """Whatever optional fields and values it has; every number, name and level is exact."""
    document = changed(PROJECT, project)
    for path in present - {PROJECT}:
        changed(path, json.loads(json.dumps(OPTIONAL[path])), document)
    for name, value in free.items():
        changed(f"company_data_payload.{name}", value, document)
    recipient = document["frontend_payload"]["recipient_data"]
    recipient["recipient_first_name"], recipient["recipient_last_name"] = names
    context = parser(body(document))
    rebuilt = rebuild_context(_record(context))
    assert context == parser(rebuilt)
    assert "api_key" not in json.loads(rebuilt)["frontend_payload"]["company_data"]


@pytest.mark.parametrize(
    "text",
    ["1e23", "1e22", "-1e25", "1e-200", "5e-324", "1e125", "1e130", "9" * 38, "9" * 39,
     f"1{50 * '0'}", "-0.0", "12.0", "1e400",
     '{"": 1}', '{"a": {"": [1e23]}}', '"{}"', '"1e23"', "[[1e23], 1.5]"],
)  # fmt: skip
def test_a_value_that_dynamodb_does_not_store_is_rebuilt(text: str) -> None:
    """A text that looks like JSON stays a text."""
    written = body(changed(PROJECT, {"x": "here"})).replace('"here"', text)
    context = parser(written)
    assert context == parser(rebuild_context(_record(context)))


@pytest.mark.parametrize("name", ["whatsapp", "sms", "email"])
def test_every_channels_context_object_is_rebuilt(name: str) -> None:
    """Also with addresses of another form, and without a secret."""
    parse = ContextParser.for_channel(name, parts_of(name), lambda _: True)
    context = parse((paths.EXAMPLE_CONTEXTS / f"{name}.json").read_text())
    assert context == parse(rebuild_context(_record(context)))


def test_every_company_field_is_rebuilt() -> None:
    """A field that the schema gets must be rebuilt as well."""
    fields = {name for name in CompanyDataPayload.model_fields if not name.startswith(PREFIXES)}
    assert fields <= set(COMPANY_FIELDS)
    assert set(REQUIRED) <= set(_record(parser(body(valid()))))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"ai_config": None, "request_id": None}, "expected the attributes ai_config, request_id"),
        ({"converted_values": [["project_data", "gone"]]}, "converted_values: expected paths"),
        ({"converted_values": [["project_data", "x", "y"]]}, "converted_values: expected paths"),
        ({"rate_limits": b"bytes"}, "expected values of JSON, found another type"),
    ],
)
def test_a_record_that_does_not_suffice_is_named(changes: dict[str, Any], problem: str) -> None:
    """The error says what is missing, without values."""
    record = _record(parser(body(changed(PROJECT, {"x": "canary"})))) | changes
    record = {name: value for name, value in record.items() if value is not None}
    with pytest.raises(UnrecognizedRecord, match=problem) as raised:
        rebuild_context(record)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (None, START * 1000),
        ("2026-11-22T09:00:00Z", 1_795_338_000_000),
        ("2026-11-22T09:00:00", START * 1000),
        ("2036-11-22T09:00:00Z", START * 1000),
    ],
)
def test_the_earlier_of_request_and_record_counts(requested: str | None, expected: int) -> None:
    """In epoch milliseconds; a time without its zone is not known."""
    record = {"created_at": items.timestamp(START), "initial_request_timestamp": requested}
    assert expected == first_asked_at(record)
    with pytest.raises(UnrecognizedRecord, match="created_at: expected a time"):
        first_asked_at(record | {"created_at": Decimal(1)})
