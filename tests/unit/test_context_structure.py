"""Bodies that are no context object: everything wrong is listed in one error."""

import json
from typing import Any

import pytest

from lambda_src.core.context import RecordKey
from lambda_src.core.errors import Redelivery
from lambda_src.core.rejection import RejectedContext
from tests.unit import contexts
from tests.unit.contexts import changed, complete, parse, valid, without

REQUIRED = [
    "metadata",
    "conversation_data",
    "conversation_data.conversation_id",
    "frontend_payload",
    "frontend_payload.company_data",
    "frontend_payload.company_data.company_id",
    "frontend_payload.company_data.project_id",
    "frontend_payload.recipient_data",
    "frontend_payload.recipient_data.recipient_tel",
    "frontend_payload.recipient_data.comms_consent",
    "frontend_payload.request_data",
    "frontend_payload.request_data.request_id",
    "frontend_payload.request_data.channel_method",
    "company_data_payload",
    "company_data_payload.company_id",
    "company_data_payload.project_id",
    "company_data_payload.company_name",
    "company_data_payload.project_name",
    "company_data_payload.project_status",
    "company_data_payload.allowed_channels",
    "company_data_payload.ai_config",
    "company_data_payload.ai_config.openai_config",
    "company_data_payload.ai_config.openai_config.whatsapp",
    "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant_id_template_sender",
    "company_data_payload.channel_config",
    "company_data_payload.channel_config.whatsapp",
    "company_data_payload.channel_config.whatsapp.company_whatsapp_number",
    "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id",
]
OPENAI = "company_data_payload.ai_config.openai_config.whatsapp"
ASSISTANT = f"{OPENAI}.assistant"


def rejection(document: object) -> RejectedContext:
    """The error for a document that is no valid context object."""
    with pytest.raises(RejectedContext) as rejected:
        parse(document)
    return rejected.value


def problems(document: object) -> dict[str, str]:
    """What stood there instead, by the field's path."""
    return {problem.field: problem.found for problem in rejection(document).problems}


@pytest.mark.parametrize(
    "body", ["", " ", "hello", "{", '{"a": NaN}', '{"a": Infinity}', "\ufeff{}"]
)
def test_a_body_that_is_no_json_is_refused(body: str) -> None:
    """Text that is not JSON, NaN and Infinity included, is refused as a whole."""
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(body)
    assert "body_not_json" == rejected.value.code
    assert rejected.value.key is None


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([], "an array"),
        ("text", "a string"),
        (7, "a number"),
        (None, "null"),
        (True, "a boolean"),
    ],
)
def test_a_body_that_is_no_object_is_refused(document: object, found: str) -> None:
    """JSON that is no object is refused, and its kind named."""
    error = rejection(document)
    assert "body_not_object" == error.code
    assert f"body_not_object at parse: body: expected an object, found {found}" == str(error)


@pytest.mark.parametrize("path", REQUIRED)
def test_each_required_field_is_missed(path: str) -> None:
    """A required field that is missing is named by its path, and it alone."""
    assert {path: "nothing"} == problems(without(path))


@pytest.mark.parametrize("path", REQUIRED)
@pytest.mark.parametrize(("value", "found"), [(None, "null"), (7, "a number"), (True, "a boolean")])
def test_each_required_field_has_a_type(path: str, value: object, found: str) -> None:
    """A field of another type is named with the kind that stood there, and nothing is coerced."""
    if path.endswith("comms_consent"):
        value, found = [], "an array"
    assert {path: found} == problems(changed(path, value))


@pytest.mark.parametrize("path", REQUIRED)
def test_empty_text_is_no_value(path: str) -> None:
    """An empty string is as good as none."""
    assert {path: "an empty string"} == problems(changed(path, ""))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.router_version", 2),
        ("conversation_data.conversation_status", ["pending"]),
        ("frontend_payload.recipient_data.recipient_first_name", 1),
        ("frontend_payload.recipient_data.recipient_email", {}),
        ("frontend_payload.request_data.initial_request_timestamp", "yesterday"),
        ("frontend_payload.project_data", []),
        ("company_data_payload.company_rep", "Tom"),
        (f"{OPENAI}.engine", "telegraph"),
        (f"{OPENAI}.assistant_id_template_sender", "../secrets"),
        (f"{OPENAI}.assistant_id_template_sender", "first/contact"),
        (f"{OPENAI}.assistant_id_template_sender", "first_contact\n"),
        (f"{ASSISTANT}.model", ""),
        (f"{ASSISTANT}.max_output_tokens", 0),
        (f"{ASSISTANT}.max_output_tokens", "500"),
        (f"{ASSISTANT}.variables", []),
    ],
)
def test_optional_fields_are_checked_where_they_stand(path: str, value: object) -> None:
    """An optional field may be missing, but not wrong."""
    assert [path] == list(problems(changed(path, value, complete())))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("metadata", [], "expected an object, found an array"),
        ("frontend_payload.project_data", 1.5, "expected an object, found a number"),
        ("company_data_payload.allowed_channels", {}, "expected an array, found an object"),
        ("conversation_data.conversation_id", 7, "expected a string, found a number"),
        ("conversation_data.conversation_id", " ", "expected a non-empty string, found a string"),
        (f"{OPENAI}.engine", "x", "expected 'responses' or 'assistants', found a string"),
        (f"{ASSISTANT}.max_output_tokens", "5", "expected a whole number, found a string"),
        (f"{ASSISTANT}.max_output_tokens", 0, "expected greater than 0, found a number"),
    ],
)
def test_a_problem_reads_as_a_sentence(path: str, value: object, expected: str) -> None:
    """A problem names the field, what was expected and the kind that was found."""
    error = rejection(changed(path, value, complete()))
    assert f"context_invalid at parse: {path}: {expected}" == str(error)


def test_all_problems_stand_in_one_error() -> None:
    """Whoever mends a context object learns everything at once."""
    document = without("metadata")
    document["conversation_data"]["conversation_id"] = ""
    document["frontend_payload"]["request_data"]["request_id"] = 7
    del document["company_data_payload"]["ai_config"]
    error = rejection(document)
    assert "context_invalid" == error.code
    expected = {
        "metadata": "nothing",
        "conversation_data.conversation_id": "an empty string",
        "frontend_payload.request_data.request_id": "a number",
        "company_data_payload.ai_config": "nothing",
    }
    assert expected == {problem.field: problem.found for problem in error.problems}
    assert all(field in str(error) for field in expected)


def test_an_empty_object_misses_all_its_parts() -> None:
    """An object without anything in it misses the four parts of a context object."""
    expected = dict.fromkeys([path for path in REQUIRED if "." not in path], "nothing")
    assert expected == problems({})


def test_a_refused_context_is_put_down_for_good() -> None:
    """A message that cannot be read is on its way to the dead letters at once."""
    assert Redelivery.AT_ONCE is rejection({}).redelivery


@pytest.mark.parametrize("path", ["company_data_payload", "metadata"])
def test_the_key_is_told_where_it_can_be(path: str) -> None:
    """A refused context object still says whose it was, if number and conversation stand there."""
    error = rejection(without(path))
    assert RecordKey(contexts.RECIPIENT, contexts.CONVERSATION) == error.key
    assert "request-1" == error.request_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("conversation_data.conversation_id", ""),
        ("conversation_data.conversation_id", "c" * 1025),
        ("conversation_data", "text"),
        ("frontend_payload.recipient_data.recipient_tel", 15550100123),
        ("frontend_payload", None),
    ],
)
def test_no_key_is_made_up(path: str, value: object) -> None:
    """Without a usable number or conversation there is no key."""
    assert rejection(changed(path, value)).key is None


def test_a_number_of_the_wrong_form_still_is_a_key() -> None:
    """The record of a number that is not E.164 says why, under that number."""
    error = rejection(changed("frontend_payload.recipient_data.recipient_tel", "0155-5010"))
    assert "phone_not_e164" == error.code
    assert RecordKey("0155-5010", contexts.CONVERSATION) == error.key


def test_unknown_fields_are_left_alone() -> None:
    """The router may know more than the processor does."""
    document: dict[str, Any] = valid() | {"added_later": {"deep": [1]}}
    assert contexts.CONVERSATION == parse(document).key.conversation_id


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"metadata": {}', '"metadata": 1, "metadata": {}'),
        ('"comms_consent": true', '"comms_consent": false, "comms_consent": true'),
        ('"request_id"', r'"x\ud800": 1, "x\ud801": 2, "request_id"'),
    ],
    ids=["at the top", "consent", "once half characters are replaced"],
)
def test_a_name_that_stands_twice_is_refused(once: str, twice: str) -> None:
    """Readers differ in which value they take: ours takes neither, and the record says why."""
    body = json.dumps(valid()).replace(once, twice)
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(body)
    assert "body_ambiguous" == rejected.value.code
    assert "body: expected each name once in an object, found a name twice" in str(rejected.value)
    assert RecordKey(contexts.RECIPIENT, contexts.CONVERSATION) == rejected.value.key


def test_an_ambiguous_key_is_no_key() -> None:
    """A record must not say that another conversation's message failed."""
    body = json.dumps(valid()).replace(
        '"conversation_id"', '"conversation_id": "another", "conversation_id"'
    )
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(body)
    assert rejected.value.key is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_jsons_is_refused_with_its_key(number: str) -> None:
    """Python's own writer makes such JSON of what it cannot count: the record says why."""
    body = json.dumps(changed("frontend_payload.project_data", {"x": "here"}))
    with pytest.raises(RejectedContext) as rejected:
        contexts.parser(body.replace('"here"', number))
    assert "body_not_json" == rejected.value.code
    assert "body: expected JSON's numbers, found NaN or an infinity" in str(rejected.value)
    assert RecordKey(contexts.RECIPIENT, contexts.CONVERSATION) == rejected.value.key
