"""Conversations, responses and models of the fake of OpenAI: results, format and validation."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI
from openai.types import Model
from openai.types.beta import thread_create_params
from openai.types.beta.threads import run_create_params
from openai.types.conversations import Conversation
from openai.types.responses import Response, response_create_params
from pydantic import BaseModel

from local.fakes import FakeOpenAI, Fault, OpenAISettings
from local.fakes.openai.requests import RequestBody, ResponseBody, RunBody, ThreadBody
from tests.local.fakes.clients import KEY, MODEL

INPUT = json.dumps(
    {
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
        "recipient_first_name": "Ada",
        "project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}, "job_id": "j-1"},
    }
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "1": {"type": "string", "description": "The recipient's first name."},
        "2": {"type": "string", "description": "One to three sentences. At most 120 characters."},
    },
    "required": ["1", "2"],
    "additionalProperties": False,
}


def text_format(**changes: object) -> Any:
    """Return the parameter `text` that requests an object of the schema."""
    format_ = {"type": "json_schema", "name": "variables", "schema": SCHEMA, "strict": True}
    return {"format": format_ | changes}


def _text(ai: OpenAI, **options: Any) -> str:
    return ai.responses.create(**({"model": MODEL, "input": "Hello"} | options)).output_text


def _json(resource: BaseModel) -> dict[str, Any]:
    return resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_a_response_contains_the_facts_of_its_input(ai: OpenAI) -> None:
    """Text and objects name recipient, company, project and data, the same each time."""
    text = _text(ai, input=INPUT)
    for fact in ("Ada", "Tom Reed", "Harbour Logistics", "Spring Intake", "hourly rate 12.85"):
        assert fact in text
    assert "j-1" not in text
    assert text == _text(ai, input=INPUT)
    variables = json.loads(_text(ai, input=INPUT, text=text_format()))
    assert ["1", "2"] == list(variables)
    assert "Ada" == variables["1"]
    assert "Harbour Logistics" in variables["2"]
    assert len(variables["2"]) <= 120


def test_a_conversation_keeps_input_and_output(openai: FakeOpenAI, ai: OpenAI) -> None:
    """Input and output become items of the conversation, which later responses use."""
    created = ai.conversations.create(metadata={"conversation_id": "c-1"})
    first, second = (
        ai.responses.create(model=MODEL, input=text, conversation=created.id)
        for text in (INPUT, "And now?")
    )
    (conversation,) = openai.state()["conversations"]
    items = conversation["items"]
    assert {"conversation_id": "c-1"} == conversation["metadata"]
    assert ["user", "assistant", "user", "assistant"] == [item["role"] for item in items]
    assert (first.output[0].id, second.output[0].id) == (items[1]["id"], items[3]["id"])
    assert "Harbour Logistics" in second.output_text
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    assert KEY not in str((openai.requests, openai.state()))


def test_a_long_output_is_truncated_at_the_token_limit(ai: OpenAI) -> None:
    """An output longer than the limit is incomplete and names the reason."""
    response = ai.responses.create(model=MODEL, input=INPUT, max_output_tokens=16)
    assert response.incomplete_details is not None
    assert response.usage is not None
    assert ("incomplete", "max_output_tokens", 16) == (
        response.status,
        response.incomplete_details.reason,
        response.usage.output_tokens,
    )


def test_resources_have_exactly_the_sdks_format(ai: OpenAI) -> None:
    """Every resource validates against the SDK's types without extra fields.

    A response echoes its request; identifiers begin with their kind.
    """
    options: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 900,
        "metadata": {"request_id": "r-1"},
    }
    conversation = ai.conversations.create()
    response = ai.responses.create(
        model=MODEL,
        input="Hello",
        conversation=conversation.id,
        text=text_format(),
        **options,
    )
    for kind, resource in (
        (Conversation, conversation),
        (Response, response),
        (Model, ai.models.retrieve(MODEL)),
    ):
        assert not kind.model_validate(_json(resource)).model_extra
    assert options == {name: getattr(response, name) for name in options}
    assert text_format()["format"] == _json(response)["text"]["format"]
    ids = (conversation.id, response.id, response.output[0].id or "")
    assert ["conv", "resp", "msg"] == [id_.split("_")[0] for id_ in ids]


@pytest.mark.parametrize(
    ("sdk", "body"),
    [
        (response_create_params.ResponseCreateParamsBase, ResponseBody),
        (thread_create_params.ThreadCreateParams, ThreadBody),
        (run_create_params.RunCreateParamsBase, RunBody),
    ],
)
def test_every_parameter_of_the_sdk_is_known(sdk: type, body: type[RequestBody]) -> None:
    """Each parameter of the SDK's request bodies is supported or rejected by name."""
    elsewhere = {"stream", "include"}  # of other types, or in the query
    known = set(body.model_fields) | body.unsupported
    assert set(sdk.__annotations__) - elsewhere == known - elsewhere


def test_missing_resources_are_not_found(ai: OpenAI) -> None:
    """An unknown conversation or model is a 404 error."""
    with pytest.raises(NotFoundError):
        _text(ai, conversation="conv_gone")
    for call in (lambda: ai.models.retrieve("gone"), lambda: _text(ai, model="gone")):
        with pytest.raises(NotFoundError, match="`gone`") as rejected:
            call()
        assert ("model_not_found", "model") == (rejected.value.code, rejected.value.param)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": ...}, "missing_required_parameter", "model"),
        ({"input": ...}, "missing_required_parameter", "input"),
        ({"model": None}, "invalid_type", "model"),
        ({"input": None}, "invalid_type", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"temprature": 1}, "unknown_parameter", "temprature"),
        ({"text": {"colour": "red"}}, "unknown_parameter", "text.colour"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        *(
            ({"text": text_format(**{name: None})}, "missing_required_parameter", path)
            for name, path in [(n, f"text.format.{n}") for n in ("name", "schema", "strict")]
        ),
        ({"conversation": 7}, "invalid_type", "conversation"),
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"max_output_tokens": "900"}, "invalid_type", "max_output_tokens"),
        ({"metadata": {"name": 5}}, "invalid_type", "metadata.name"),
        ({"metadata": {"name": "x" * 513}}, "string_above_max_length", "metadata.name"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "object_above_max_properties", "metadata"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools"),
        ({"stream": True}, "unsupported_parameter", "stream"),
        ("{not json", None, None),
        ("[1]", None, None),
        ('{"a":' * 5000, None, None),
    ],
)
def test_invalid_parameters_are_rejected(
    openai: FakeOpenAI, changes: dict[str, Any] | str, code: str | None, param: str | None
) -> None:
    """Each invalid or missing parameter is a 400 error with its name and OpenAI's code."""
    content = changes
    if isinstance(changes, dict):
        body: dict[str, Any] = {"model": MODEL, "input": "Hello"} | changes
        content = json.dumps({name: value for name, value in body.items() if value is not ...})
    response = requests.post(
        f"{openai.base_url}/responses",
        data=content,
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        timeout=5,
    )
    error = response.json()["error"]
    assert 400 == response.status_code
    assert (code, param, "invalid_request_error") == (error["code"], error["param"], error["type"])


def test_valid_edge_cases_are_accepted(ai: OpenAI) -> None:
    """A metadata key of 64 characters and unsupported parameters without a value are accepted."""
    assert _text(ai, metadata={"k" * 64: "x"}, tools=[], background=False)
    with pytest.raises(BadRequestError) as rejected:
        ai.conversations.create(metadata={"k" * 65: "x"})
    assert "string_above_max_length" == rejected.value.code


def test_wrong_and_missing_keys_are_rejected(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A wrong or missing key is a 401 error that does not repeat it."""
    with pytest.raises(AuthenticationError) as rejected:
        _text(ai.with_options(api_key=f"{KEY}x"))
    assert "invalid_api_key" == rejected.value.code
    assert KEY not in rejected.value.message
    response = requests.get(f"{openai.base_url}/models", timeout=5)
    assert (401, "invalid_api_key") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/chat/completions", 404), ("PUT", "/responses", 405)]
)
def test_unsupported_routes_are_rejected(
    openai: FakeOpenAI, method: str, path: str, status: int
) -> None:
    """Other paths and methods are errors in OpenAI's format."""
    headers = {"Authorization": f"Bearer {KEY}"}
    response = requests.request(method, f"{openai.base_url}{path}", headers=headers, timeout=5)
    assert status == response.status_code
    assert f"Invalid URL ({method} /v1{path})" == response.json()["error"]["message"]


def _invalid_schemas() -> Iterator[tuple[dict[str, Any], str]]:
    yield SCHEMA | {"additionalProperties": True}, "additionalProperties"
    yield {k: v for k, v in SCHEMA.items() if k != "additionalProperties"}, "additionalProperties"
    yield SCHEMA | {"required": ["1"]}, "required"
    yield SCHEMA | {"required": "1"}, "required"
    yield SCHEMA | {"type": "array"}, "type"
    yield SCHEMA | {"properties": []}, "properties"
    yield SCHEMA | {"allOf": []}, "allOf"
    for unsupported in (
        "string",
        {"description": "no type"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "string", "pattern": "^a$"},
        {"anyOf": [{"type": "string"}]},
        SCHEMA,
    ):
        yield SCHEMA | {"properties": {"it": unsupported}}, "('properties', 'it'"


@pytest.mark.parametrize(("schema", "place"), list(_invalid_schemas()))
def test_schemas_that_are_not_strict_are_rejected(
    ai: OpenAI, schema: dict[str, Any], place: str
) -> None:
    """Anything but a strict flat object of strings is a 400 error that names the place."""
    with pytest.raises(BadRequestError) as rejected:
        _text(ai, text=text_format(schema=schema))
    assert "invalid_json_schema" == rejected.value.code
    assert place in rejected.value.message


def test_a_conversation_is_locked_during_a_response(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A second response in the same conversation is rejected until the first has ended."""
    conversation = ai.conversations.create().id
    openai.fail_next(Fault.thinking(0.3))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_text, ai, conversation=conversation)
        while openai.pending_faults:
            time.sleep(0.002)
        time.sleep(0.05)
        with pytest.raises(BadRequestError) as rejected:
            _text(ai, conversation=conversation)
        assert ("conversation_locked", "conversation") == (
            rejected.value.code,
            rejected.value.param,
        )
        assert _text(ai)
        assert first.result()
    assert _text(ai, conversation=conversation)


def test_every_response_takes_the_configured_time(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A response takes as long as the settings say."""
    openai.settings = OpenAISettings(answer_seconds=0.1)
    started = time.monotonic()
    _text(ai)
    assert time.monotonic() - started >= 0.1
