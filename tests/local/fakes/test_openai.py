"""The fake of OpenAI: responses, conversations, threads, its model, and faults at the SDK."""

import json
from typing import Any

import openai as sdk
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Thread, thread_create_params
from openai.types.beta.threads import Message, Run, run_create_params
from openai.types.responses import Response, response_create_params
from pydantic import BaseModel

from local.fakes import FakeOpenAI
from local.fakes.openai.errors import NAMED_FAULTS
from local.fakes.openai.model import generate
from local.fakes.openai.requests import RequestBody, ResponseBody, RunBody, ThreadBody
from tests.local.fakes.clients import KEY, MODEL, TIMEOUT

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")

FACTS = {
    "company_name": "Harbour Logistics",
    "project_name": "Spring Intake",
    "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
    "recipient_first_name": "Ada",
    "project_data": {
        "job": {"title": "Operative", "hourly_rate": 12.85},
        "job_id": "j-1",
        "shifts": 2,
        "reply_url": "https://x",
    },
}
INPUT = json.dumps(FACTS)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "1": {"type": "string", "description": "The recipient's first name."},
        "2": {"type": "string", "description": "One to three sentences. At most 120 characters."},
    },
    "required": ["1", "2"],
    "additionalProperties": False,
}


def _format(**changes: object) -> Any:
    """Return the parameter `text` that requests an object of the schema."""
    format_ = {"type": "json_schema", "name": "variables", "schema": SCHEMA, "strict": True}
    return {"format": format_ | changes}


def _respond(ai: OpenAI, **options: Any) -> Any:
    defaults: Any = {"model": MODEL, "input": "Hello", "reasoning": {"effort": "none"}}
    return ai.responses.create(**(defaults | options))


def _text(ai: OpenAI, **options: Any) -> str:
    return str(_respond(ai, **options).output_text)


def _http(openai: FakeOpenAI, method: str, path: str, content: str | None = None) -> Any:
    """Return status and error of a request without the SDK."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    url = f"{openai.base_url}{path}"
    response = requests.request(method, url, data=content, headers=headers, timeout=TIMEOUT)
    return response.status_code, response.json()["error"]


def _json(resource: BaseModel) -> dict[str, Any]:
    return resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_a_response_contains_the_facts_of_its_input(ai: OpenAI) -> None:
    """Text and objects name recipient, company, project and data, the same each time."""
    text = _text(ai, input=INPUT)
    for fact in ("Ada", "Tom Reed", "Harbour Logistics", "Spring Intake", "hourly rate 12.85"):
        assert fact in text
    assert "j-1" not in text
    assert "https" not in text
    assert text == _text(ai, input=INPUT)
    variables = json.loads(_text(ai, input=INPUT, text=_format()))
    assert ["1", "2"] == list(variables)
    assert "Ada" == variables["1"]
    assert "Harbour Logistics" in variables["2"]
    assert len(variables["2"]) <= 120


def test_resources_have_exactly_the_sdks_format(ai: OpenAI) -> None:
    """Resources have no fields beside those of the SDK's types; a response echoes its request."""
    metadata = {"request_id": "r-1"}
    options = {"instructions": "Be brief.", "max_output_tokens": 900, "metadata": metadata}
    conversation = ai.conversations.create()
    response: Response = _respond(ai, conversation=conversation.id, text=_format(), **options)
    for resource in (conversation, response, ai.models.retrieve(MODEL)):
        assert not type(resource).model_validate(_json(resource)).model_extra
    assert options == {name: getattr(response, name) for name in options}
    assert _format()["format"] == _json(response)["text"]["format"]
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


def test_missing_resources_are_not_found(ai: OpenAI, thread: Thread) -> None:
    """An unknown conversation, thread, run or model is a 404 error."""
    runs = ai.beta.threads.runs
    for call in (
        lambda: _text(ai, conversation="conv_gone"),
        lambda: ai.beta.threads.messages.list("thread_gone"),
        lambda: runs.create("thread_gone", assistant_id=ASSISTANT),
        lambda: runs.retrieve("run_gone", thread_id=thread.id),
        lambda: _start(ai, thread, model="gone"),
    ):
        with pytest.raises(NotFoundError):
            call()
    for name_model in (lambda: ai.models.retrieve("gone"), lambda: _text(ai, model="gone")):
        with pytest.raises(NotFoundError, match="`gone`") as rejected:
            name_model()
        assert ("model_not_found", "model") == (rejected.value.code, rejected.value.param)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": ...}, "missing_required_parameter", "model"),
        ({"temprature": 1}, "unknown_parameter", "temprature"),
        ({"text": {"colour": "red"}}, "unknown_parameter", "text.colour"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"text": _format(strict=None)}, "missing_required_parameter", "text.format.strict"),
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "object_above_max_properties", "metadata"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools"),
        ({"stream": True}, "unsupported_parameter", "stream"),
        ("{not json", None, None),
        ('{"a":' * 5000, None, None),
    ],
)
def test_invalid_parameters_are_rejected(
    openai: FakeOpenAI, changes: dict[str, Any] | str, code: str | None, param: str | None
) -> None:
    """Each invalid or missing parameter is a 400 error with its name and OpenAI's code."""
    if isinstance(changes, dict):
        body: dict[str, Any] = {"model": MODEL, "input": "Hello"} | changes
        changes = json.dumps({name: value for name, value in body.items() if value is not ...})
    status, error = _http(openai, "POST", "/responses", changes)
    assert 400 == status
    assert (code, param, "invalid_request_error") == (error["code"], error["param"], error["type"])


def test_wrong_and_missing_keys_are_rejected(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A wrong or missing key is a 401 error that does not repeat it."""
    with pytest.raises(AuthenticationError) as rejected:
        _text(ai.with_options(api_key=f"{KEY}x"))
    assert "invalid_api_key" == rejected.value.code
    assert KEY not in rejected.value.message
    response = requests.get(f"{openai.base_url}/models", timeout=TIMEOUT)
    assert (401, "invalid_api_key") == (response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/chat/completions", 404, None),
        ("PUT", "/responses", 405, None),
        ("POST", "/threads", 400, "invalid_beta"),
    ],
)
def test_unsupported_routes_are_rejected(
    openai: FakeOpenAI, method: str, path: str, status: int, code: str | None
) -> None:
    """Other paths and methods, and no API version where it is required, are OpenAI's errors."""
    found, error = _http(openai, method, path)
    assert status == found
    if code:
        assert code == error["code"]
    else:
        assert f"Invalid URL ({method} /v1{path})" == error["message"]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (SCHEMA | {"additionalProperties": True}, "additionalProperties"),
        (SCHEMA | {"required": ["1"]}, "required"),
        (SCHEMA | {"type": "array"}, "type"),
        (SCHEMA | {"properties": []}, "properties"),
        (SCHEMA | {"allOf": []}, "allOf"),
        *(
            (SCHEMA | {"properties": {"it": unsupported}}, "('properties', 'it'")
            for unsupported in (
                "string",
                {"description": "no type"},
                {"anyOf": [{"type": "string"}]},
                SCHEMA,
            )
        ),
    ],
)
def test_only_strict_schemas_are_accepted(ai: OpenAI, schema: dict[str, Any], place: str) -> None:
    """Anything but a strict flat object of strings is a 400 error that names the place."""
    with pytest.raises(BadRequestError) as rejected:
        _text(ai, text=_format(schema=schema))
    assert "invalid_json_schema" == rejected.value.code
    assert place in rejected.value.message


DOCUMENTED: dict[tuple[int, type[sdk.APIStatusError]], tuple[str, ...]] = {
    (400, sdk.BadRequestError): ("conversation_locked", "invalid_value"),
    (401, sdk.AuthenticationError): ("invalid_api_key",),
    (403, sdk.PermissionDeniedError): ("unsupported_country_region_territory",),
    (404, sdk.NotFoundError): ("model_not_found",),
    (408, sdk.APIStatusError): ("request_timeout",),
    (409, sdk.ConflictError): ("conflict",),
    (422, sdk.UnprocessableEntityError): ("unprocessable_entity",),
    (429, sdk.RateLimitError): ("rate_limit_exceeded", "slow_down", "insufficient_quota"),
    (500, sdk.InternalServerError): ("server_error",),
    (503, sdk.InternalServerError): ("service_unavailable",),
}
EXPECTED = {name: each for each, names in DOCUMENTED.items() for name in names}


@pytest.mark.parametrize("name", sorted(NAMED_FAULTS))
def test_every_error_code_reaches_the_sdk(openai: FakeOpenAI, ai: OpenAI, name: str) -> None:
    """A fault named like an error code raises the SDK's class for its documented status."""
    openai.fail_next(name)
    with pytest.raises(sdk.APIStatusError) as failed:
        _respond(ai)
    raised = (failed.value.status_code, type(failed.value))
    assert name == failed.value.code
    assert EXPECTED.get(name, raised) == raised
    assert (failed.value.request_id or "").startswith("req_")
    assert _respond(ai).output_text


ASSISTANT = "asst_first_contact"
FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "variables", "schema": SCHEMA, "strict": True},
}


@pytest.fixture
def thread(ai: OpenAI) -> Thread:
    """A thread with a message."""
    return ai.beta.threads.create(messages=[{"role": "user", "content": INPUT}])


def _start(ai: OpenAI, thread: Thread, **options: Any) -> Run:
    options = {"reasoning_effort": "none"} | options
    run: Run = ai.beta.threads.runs.create(thread.id, assistant_id=ASSISTANT, **options)
    return run


def _poll(ai: OpenAI, run: Run) -> Run:
    return ai.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def _end(ai: OpenAI, run: Run) -> Run:
    while run.status in {"queued", "in_progress"}:
        run = _poll(ai, run)
    return run


def _messages(ai: OpenAI, run: Run, **query: Any) -> list[Message]:
    return ai.beta.threads.messages.list(run.thread_id, **query).data


def test_a_run_goes_from_queued_to_completed(ai: OpenAI, thread: Thread) -> None:
    """A run completes after some polls, and its output is the thread's newest message."""
    run = _start(ai, thread, model="model-two", response_format=FORMAT)
    statuses = [run.status, *(_poll(ai, run).status for _ in range(3))]
    assert ["queued", "in_progress", "completed", "completed"] == statuses
    (message,) = _messages(ai, run, run_id=run.id)
    assert [message, thread.id] == [_messages(ai, run)[0], message.thread_id]
    assert "text" == message.content[0].type
    assert {"1": "Ada"}.items() <= json.loads(message.content[0].text.value).items()
    assert ("model-two", ASSISTANT, run.id) == (run.model, message.assistant_id, message.run_id)
    for resource in (thread, _poll(ai, run), message):
        type(resource).model_validate(_json(resource))


def test_a_thread_has_one_active_run(ai: OpenAI, thread: Thread) -> None:
    """While a run is active, another run is rejected."""
    run = _start(ai, thread)
    with pytest.raises(BadRequestError, match="already has an active run"):
        _start(ai, thread)
    _end(ai, run)
    assert _start(ai, thread).id


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (
            {"response_format": {**FORMAT, "json_schema": {"name": "x", "schema": SCHEMA}}},
            "missing_required_parameter",
        ),
        ({"response_format": {"type": "xml"}}, "invalid_value"),
    ],
)
def test_invalid_runs(ai: OpenAI, thread: Thread, options: dict[str, Any], code: str) -> None:
    """A schema that is not strict, or another format, is rejected."""
    with pytest.raises(BadRequestError) as rejected:
        _start(ai, thread, **options)
    assert code == rejected.value.code


SENTENCES = (
    "This is Tom Reed from Harbour Logistics. Thank you for your interest in Spring Intake (title"
    " Operative, hourly rate 12.85, shifts 2). When would be a good time to talk?"
)


def _property(description: str, *prompt: str) -> str:
    output = generate(list(prompt) or [INPUT], {"x": description}, None, None)
    text: str = json.loads(output.text)["x"]
    return text


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("How to address the recipient: the first name.", "Ada"),
        ("Name of the company", "Harbour Logistics"),
        ("A greeting", "Hi Ada"),
        ("The message after the greeting: one to three sentences.", SENTENCES),
        ("Anything else", SENTENCES),
    ],
)
def test_a_property_contains_what_its_description_names(description: str, text: str) -> None:
    """A property's description selects the fact, or the whole message."""
    assert text == _property(description)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.none() | st.floats() | st.text(), st.lists), st.text(), st.integers(1, 200))
def test_a_property_fits_a_template(data: Any, description: str, limit: int) -> None:
    """A text is never empty, has one line and keeps to its limit, for any project data."""
    prompt = json.dumps({"project_data": data, "company_name": description})
    text = _property(f"At most {limit} characters. {description}", prompt)
    assert 1 <= len(text) <= limit
    assert text == " ".join(text.split())


@pytest.mark.parametrize("sampling", [{"temperature": 0.5}, {"top_p": 0.9}])
def test_sampling_beside_effort_is_rejected(ai: OpenAI, sampling: dict[str, float]) -> None:
    """As by reasoning models; without an effort they are accepted."""
    with pytest.raises(BadRequestError, match="Unsupported parameter") as error:
        _respond(ai, **sampling)
    assert ("unsupported_parameter", *sampling) == (error.value.code, error.value.param)
    assert "completed" == _respond(ai, reasoning=sdk.omit, **sampling).status


def test_reasoning_is_billed_and_precedes_the_message(ai: OpenAI) -> None:
    """The default effort is the model's; a limit that only the reasoning reaches leaves no text."""
    response = _respond(ai, reasoning=sdk.omit)
    assert ["reasoning", "message"] == [item.type for item in response.output]
    details = response.usage.output_tokens_details
    assert 0 < details.reasoning_tokens < response.usage.output_tokens
    short = _respond(ai, reasoning={"effort": "high"}, max_output_tokens=16)
    assert ("incomplete", ["reasoning"]) == (short.status, [item.type for item in short.output])
    with pytest.raises(BadRequestError, match=r"reasoning\.effort"):
        _respond(ai, reasoning={"effort": "some"})
