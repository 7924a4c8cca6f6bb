"""What a context object becomes: the flow's typed parts, the briefing, the record's attributes."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.context import AssistantDefinition, Engine, RecordKey, VariableRule
from lambda_src.core.rejection import RejectedContext
from tests.unit import contexts
from tests.unit.contexts import changed, complete, parse, valid

PROJECT = "frontend_payload.project_data"


def nested(levels: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"deeper": document}
    return document


def test_a_required_context_object_is_complete() -> None:
    """With nothing but the required fields, everything the flow needs is there."""
    context = parse(valid())
    assert RecordKey(contexts.RECIPIENT, contexts.CONVERSATION) == context.key
    assert ("request-1", "first_contact") == (context.request_id, context.assistant_id)
    assert (contexts.SENDER, contexts.RECIPIENT) == (context.sender, context.recipient)
    assert contexts.OPENAI_SECRET == context.api_key_reference
    assert contexts.TWILIO_SECRET == context.credentials_reference
    assert (Engine.RESPONSES, None) == (context.engine, context.assistant)


def test_an_inline_assistant_is_typed() -> None:
    """An inline definition becomes the same object as one out of a file."""
    context = parse(complete())
    expected = AssistantDefinition(
        model="model-of-the-day",
        instructions="Write a greeting.",
        variables={"1": VariableRule("The first name.", 40)},
        max_output_tokens=500,
    )
    assert (Engine.ASSISTANTS, expected) == (context.engine, context.assistant)


def test_a_context_object_cannot_be_changed() -> None:
    """After parsing nothing changes what was asked for."""
    with pytest.raises(FrozenInstanceError):
        parse(valid()).recipient = "+15550100999"  # type: ignore[misc]


def test_the_briefing_is_what_the_ai_writes_about() -> None:
    """Names, the representative and the project's data; nothing else is told."""
    expected = {
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
        "recipient_first_name": "Amara",
        "recipient_last_name": "Okafor",
        "project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}},
    }
    assert expected == parse(complete()).briefing


def test_the_briefing_names_nobodys_address() -> None:
    """Neither the recipient's number and e-mail address nor the sender's number is told."""
    told = json.dumps(parse(complete()).briefing)
    for address in (contexts.RECIPIENT, contexts.SENDER, "amara@example.org", "router-key-1"):
        assert address not in told


def test_optional_fields_without_a_value_are_left_out() -> None:
    """A null is no value: neither the briefing nor the record holds it."""
    document = complete()
    for path in ("metadata.router_version", "frontend_payload.recipient_data.recipient_first_name"):
        changed(path, None, document)
    context = parse(document)
    assert "recipient_first_name" not in context.briefing
    assert not {"router_version", "recipient_first_name"} & set(context.attributes)


def test_the_record_keeps_the_context_flattened() -> None:
    """Identifying and configuration fields stand at the record's top level."""
    attributes = parse(complete()).attributes
    expected = {
        "company_id": "harbour",
        "project_id": "spring",
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "project_status": "active",
        "allowed_channels": ["sms", "whatsapp"],
        "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
        "auto_queue_start": "08:00",
        "auto_queue_windows": [{"from": 8, "to": 18.5}],
        "rate_limits": {"per_minute": 20},
        "ai_config": complete()["company_data_payload"]["ai_config"],
        "channel_config": complete()["company_data_payload"]["channel_config"],
        "recipient_tel": contexts.RECIPIENT,
        "recipient_email": "amara@example.org",
        "recipient_first_name": "Amara",
        "recipient_last_name": "Okafor",
        "comms_consent": True,
        "request_id": "request-1",
        "channel_method": "whatsapp",
        "initial_request_timestamp": "2026-11-22T09:00:00Z",
        "project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}},
        "router_version": "2.4.0",
    }
    assert expected == attributes


def test_the_routers_api_key_goes_nowhere() -> None:
    """An api_key in company_data is neither stored nor told to the AI."""
    context = parse(changed("frontend_payload.company_data.api_key", "router-key-1"))
    assert "router-key-1" not in repr(context)


def test_the_companys_other_fields_are_not_kept() -> None:
    """Only what is documented, and what begins as it is documented, gets into the record."""
    attributes = parse(changed("company_data_payload.internal_note", "secret")).attributes
    assert "internal_note" not in attributes


def test_other_channels_configuration_is_carried_over() -> None:
    """What the configuration says of other channels stays in the record."""
    path = "company_data_payload.channel_config.sms"
    attributes = parse(changed(path, {"company_sms_number": "+15550100002"})).attributes
    assert {"company_sms_number": "+15550100002"} == attributes["channel_config"]["sms"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_project_data_reaches_briefing_and_record(project_data: dict[str, Any]) -> None:
    """Whatever JSON the project's data is, it arrives unchanged."""
    context = parse(changed(PROJECT, project_data))
    assert project_data == context.briefing["project_data"] == context.attributes["project_data"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("9" * 5000, "9" * 5000),
        ("-" + "9" * 5000, "-" + "9" * 5000),
        ("12345678901234567890", 12345678901234567890),
        ("1e-400", "1e-400"),
        (
            "0.1234567890123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
        ),
        ("1.00000000000000000001", "1.00000000000000000001"),
        ("12.850", 12.85),
        ("0.30000000000000004", 0.30000000000000004),
        ("5e-324", 5e-324),
        ("2e-324", "2e-324"),
        ("0e99999999999999999999", "0e99999999999999999999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("-0.0", 0.0),
    ],
)
def test_numbers_of_any_size_arrive(text: str, expected: object) -> None:
    """A number that is not held exactly is kept as its text; nothing is rounded or infinite."""
    body = json.dumps(changed(PROJECT, {"x": "here"})).replace('"here"', text)
    assert expected == contexts.parser(body).briefing["project_data"]["x"]


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [(r"\ud83c\udf82", "🎂"), (r"\ud83c", "�"), (r"a\uDF82b", "a�b"), (r"\udf82\ud83c", "��")],
)
def test_lone_surrogates_are_replaced(escaped: str, expected: str) -> None:
    """Half a character cannot be stored or sent; a whole one is left as it is."""
    body = json.dumps(changed(PROJECT, {"x": "here"})).replace("here", escaped)
    assert expected == contexts.parser(body).briefing["project_data"]["x"]


def test_raw_lone_surrogates_are_replaced_too() -> None:
    """The same holds for half a character that was not escaped."""
    body = json.dumps(changed(PROJECT, {"x": "\ud83c"}), ensure_ascii=False)
    assert "�" == contexts.parser(body).briefing["project_data"]["x"]


def test_a_key_with_half_a_character_is_refused_like_any_other() -> None:
    """Half a character in the recipient's number is an error with a key, not a crash."""
    document = changed("frontend_payload.recipient_data.recipient_tel", "\ud83c")
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(json.dumps(document, ensure_ascii=False))
    assert RecordKey("�", contexts.CONVERSATION) == rejected.value.key


def test_emoji_stay_what_they_are() -> None:
    """Characters beyond the basic plane pass, escaped or not."""
    document = changed(PROJECT, {"x": "👩‍🚀 grüßt"})
    for body in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        assert "👩‍🚀 grüßt" == contexts.parser(body).briefing["project_data"]["x"]


@pytest.mark.parametrize(
    "path",
    [PROJECT, "company_data_payload.company_rep", "company_data_payload.rate_limits"],
)
def test_deep_nesting_is_read(path: str) -> None:
    """Hundreds of levels are unusual, and no error."""
    context = parse(changed(path, nested(300)))
    assert nested(300) == context.attributes[path.rpartition(".")[2]]


def test_nesting_beyond_what_can_be_handled_is_refused_with_its_key() -> None:
    """The limit is the same on every Python, and the record can say so."""
    with pytest.raises(RejectedContext) as rejected:
        parse(changed(PROJECT, nested(500)))
    assert "body: expected at most 500 levels of nesting, found more" in str(rejected.value)
    assert RecordKey(contexts.RECIPIENT, contexts.CONVERSATION) == rejected.value.key
    assert "request-1" == rejected.value.request_id


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000 + "]" * 100_000, "context_invalid"),
        ('{"a":' * 60_000 + "1" + "}" * 60_000, "context_invalid"),
        ("[" * 100_000, "body_not_json"),
        ("]" * 100_000, "body_not_json"),
    ],
    ids=["arrays", "objects", "never closed", "never opened"],
)
def test_bottomless_nesting_is_refused(text: str, code: str) -> None:
    """Nesting beyond any reader's reach is an error like every other, not a crash."""
    body = json.dumps(changed(PROJECT, {"x": "here"})).replace('"here"', text)
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(body)
    assert code == rejected.value.code
    is_json = code == "context_invalid"
    assert is_json is (rejected.value.key is not None)


@pytest.mark.parametrize("unit", [r"\"", '"', "\\\\", r"\u005c\"", '"[', '["{'])
def test_text_that_never_ends_is_read_once(unit: str) -> None:
    """Not once for each of its quotes, which would take hours."""
    body = "[" * 501 + '"' + unit * (400_000 // len(unit))
    with pytest.raises(RejectedContext):
        contexts.parser(body)


def test_brackets_in_a_text_are_no_nesting() -> None:
    """What stands in a string counts for nothing, escaped quotes or not."""
    text = '[{"\\' * 1000
    body = json.dumps(changed(PROJECT, {"x": text}))
    assert text == contexts.parser(body).briefing["project_data"]["x"]


def test_times_are_iso_8601() -> None:
    """The time of the request is kept as the text it was."""
    path = "frontend_payload.request_data.initial_request_timestamp"
    for text in ("2026-11-22T09:00:00Z", "2026-11-22T10:00:00.250+01:00", "20261122T090000"):
        assert text == parse(changed(path, text)).attributes["initial_request_timestamp"]
