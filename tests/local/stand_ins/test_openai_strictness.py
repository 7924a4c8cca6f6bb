"""What the stand-in for OpenAI refuses, and how it words it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

from local.stand_ins import OpenAIStandIn
from tests.local.stand_ins.made_up import KEY, MODEL
from tests.local.stand_ins.schemas import VARIABLES, text_format


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": None}, "invalid_type", "model"),
        ({"input": None}, "invalid_type", "input"),
        ({"input": []}, "invalid_value", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"input": [{"role": "user"}]}, "missing_required_parameter", "input[0].content"),
        ({"input": [{"role": "boss", "content": "x"}]}, "invalid_value", "input[0].role"),
        ({"temprature": 1}, "unknown_parameter", "temprature"),
        ({"text": {"colour": "red"}}, "unknown_parameter", "text.colour"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"conversation": 7}, "invalid_type", "conversation"),
        ({"conversation": {"name": "x"}}, "missing_required_parameter", "conversation.id"),
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"max_output_tokens": "900"}, "invalid_type", "max_output_tokens"),
        ({"temperature": 2.5}, "decimal_above_max_value", "temperature"),
        ({"top_p": -0.1}, "decimal_below_min_value", "top_p"),
        ({"store": "yes"}, "invalid_type", "store"),
        ({"safety_identifier": "x" * 129}, "string_above_max_length", "safety_identifier"),
        ({"metadata": {"name": 5}}, "invalid_type", "metadata.name"),
        ({"metadata": {"name": "x" * 513}}, "string_above_max_length", "metadata.name"),
        (
            {"metadata": {str(number): "x" for number in range(17)}},
            "object_above_max_properties",
            "metadata",
        ),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools"),
        ({"stream": True}, "unsupported_parameter", "stream"),
    ],
)
def test_bad_parameters_are_refused(
    openai: OpenAIStandIn, changes: dict[str, Any], code: str, param: str
) -> None:
    """Each wrong parameter is answered with 400, and named with OpenAI's code for what is wrong."""
    answer = _post(openai, "/responses", {"model": MODEL, "input": "Hello"} | changes)
    error = answer.json()["error"]
    assert 400 == answer.status_code
    assert (code, param, "invalid_request_error") == (error["code"], error["param"], error["type"])


@pytest.mark.parametrize("name", ["model", "input"])
def test_missing_parameters_are_named(openai: OpenAIStandIn, name: str) -> None:
    """A response needs a model and an input."""
    body = {"model": MODEL, "input": "Hello"}
    del body[name]
    error = _post(openai, "/responses", body).json()["error"]
    assert ("missing_required_parameter", name) == (error["code"], error["param"])


def test_an_overlong_metadata_key_is_refused(ai: OpenAI) -> None:
    """Metadata keys have at most 64 characters."""
    ai.conversations.create(metadata={"k" * 64: "x"})
    with pytest.raises(BadRequestError) as refused:
        ai.conversations.create(metadata={"k" * 65: "x"})
    assert "string_above_max_length" == refused.value.code


def test_empty_parameters_that_are_not_played_are_fine(ai: OpenAI) -> None:
    """A parameter that the stand-in does not play may be sent as long as it asks for nothing."""
    assert ai.responses.create(model=MODEL, input="Hello", tools=[], background=False).id


@pytest.mark.parametrize("content", ["{not json", "[1]", '"text"', '{"a":' * 5000])
def test_a_body_must_be_a_json_object(openai: OpenAIStandIn, content: str) -> None:
    """Anything but a JSON object is answered with 400."""
    answer = _post(openai, "/responses", content)
    assert (400, "invalid_request_error") == (answer.status_code, answer.json()["error"]["type"])


@pytest.mark.parametrize("key", ["wrong", f"{KEY}x"])
def test_wrong_keys_are_refused(openai: OpenAIStandIn, key: str) -> None:
    """A key that is not one of those given is answered with 401, and not repeated."""
    client = OpenAI(api_key=key, base_url=openai.base_url, max_retries=0)
    with client, pytest.raises(AuthenticationError) as refused:
        client.responses.create(model=MODEL, input="Hello")
    assert "invalid_api_key" == refused.value.code
    assert key not in refused.value.message


def test_a_request_without_a_key_is_refused(openai: OpenAIStandIn) -> None:
    """A request without a bearer key is answered with 401."""
    answer = requests.get(f"{openai.base_url}/models", timeout=5)
    assert (401, "invalid_api_key") == (answer.status_code, answer.json()["error"]["code"])


def test_unknown_models_are_not_found(ai: OpenAI) -> None:
    """A model that does not exist is answered with 404 and named."""
    with pytest.raises(NotFoundError) as refused:
        ai.responses.create(model="gone", input="Hello")
    assert ("model_not_found", "model") == (refused.value.code, refused.value.param)
    assert "`gone`" in refused.value.message


@pytest.mark.parametrize(("method", "path"), [("POST", "/chat/completions"), ("PUT", "/responses")])
def test_what_is_not_played_is_refused(openai: OpenAIStandIn, method: str, path: str) -> None:
    """Other paths and methods are answered in OpenAI's form."""
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = requests.request(method, f"{openai.base_url}{path}", headers=headers, timeout=5)
    assert answer.status_code in {404, 405}
    assert f"Invalid URL ({method} /v1{path})" == answer.json()["error"]["message"]


def _of(schema: object) -> dict[str, Any]:
    return VARIABLES | {"properties": {"it": schema}, "required": ["it"]}


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = _of(schema)
    return schema


def _bad_schemas() -> Iterator[tuple[dict[str, Any], str]]:
    inner = VARIABLES | {"additionalProperties": True}
    yield VARIABLES | {"additionalProperties": True}, "additionalProperties"
    yield {k: v for k, v in VARIABLES.items() if k != "additionalProperties"}, "additional"
    yield VARIABLES | {"required": ["1"]}, "required"
    yield VARIABLES | {"required": "1"}, "required"
    yield VARIABLES | {"type": "array"}, "type"
    yield VARIABLES | {"properties": []}, "properties"
    yield VARIABLES | {"allOf": []}, "allOf"
    yield _of({"type": "array"}), "items"
    yield _of({"description": "no type"}), "type"
    yield _of({"anyOf": []}), "anyOf"
    yield _of({"enum": []}), "enum"
    yield _of("string"), "object"
    yield _of(inner), "('properties', 'it')"
    yield _of({"type": "array", "items": inner}), "('properties', 'it', 'items')"
    yield _of({"anyOf": [{"type": "null"}, inner]}), "('properties', 'it', 'anyOf', '1')"
    yield _of({"$ref": "#/$defs/x"}) | {"$defs": {"x": inner}}, "('$defs', 'x')"
    yield _of({"$ref": "#/$defs/gone"}), "leads nowhere"
    yield _of({"$ref": "#"}), "no finite document"
    yield _of({"type": "string", "pattern": "^a$"}), "pattern"
    yield _nested(11), "nesting"


@pytest.mark.parametrize(("schema", "told"), list(_bad_schemas()))
def test_schemas_that_are_not_strict_are_refused(
    ai: OpenAI, schema: dict[str, Any], told: str
) -> None:
    """A schema outside of what strict output takes is answered with 400, and the place is named."""
    with pytest.raises(BadRequestError) as refused:
        ai.responses.create(model=MODEL, input="Hello", text=text_format(schema))
    assert "invalid_json_schema" == refused.value.code
    assert told in refused.value.message


def test_a_schema_that_need_not_be_strict_may_be_open(ai: OpenAI) -> None:
    """Without `strict`, objects may be open and properties optional."""
    schema = {"type": "object", "properties": {"greeting": {"type": "string"}}}
    wanted = text_format(schema, strict=False)
    response = ai.responses.create(model=MODEL, input="Hello", text=wanted)
    assert {"greeting": "Hi there"} == json.loads(response.output_text)


@pytest.mark.parametrize("name", ["name", "schema"])
def test_a_format_needs_its_parts(openai: OpenAIStandIn, name: str) -> None:
    """A schema format without its name or its schema is answered with 400."""
    wanted = text_format(VARIABLES)
    del wanted["format"][name]
    answer = _post(openai, "/responses", {"model": MODEL, "input": "Hello", "text": wanted})
    assert f"text.format.{name}" == answer.json()["error"]["param"]


def _post(openai: OpenAIStandIn, path: str, body: object) -> requests.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    return requests.post(f"{openai.base_url}{path}", data=content, headers=headers, timeout=5)
