"""The fake of OpenAI: responses, conversations, threads, its model, and faults at the SDK."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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

from local.fakes import FakeOpenAI, Fault, Match, OpenAISettings
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


def test_a_conversation_keeps_input_and_output(openai: FakeOpenAI, ai: OpenAI) -> None:
    """Input and output become items of the conversation, which later responses use."""
    created = ai.conversations.create(metadata={"conversation_id": "c-1"})
    first, second = (
        _respond(ai, input=text, conversation=created.id) for text in (INPUT, "And now?")
    )
    (conversation,) = openai.state()["conversations"]
    items = conversation["items"]
    assert {"conversation_id": "c-1"} == conversation["metadata"]
    assert ["user", "assistant", "user", "assistant"] == [item["role"] for item in items]
    assert (first.output[0].id, second.output[0].id) == (items[1]["id"], items[3]["id"])
    assert "Harbour Logistics" in second.output_text
    assert second.usage.input_tokens > first.usage.input_tokens
    assert KEY not in str((openai.requests, openai.state()))


def test_a_long_output_is_truncated_at_the_token_limit(ai: OpenAI) -> None:
    """An output longer than the limit is incomplete and names the reason."""
    response = _respond(ai, input=INPUT, max_output_tokens=16)
    reason, tokens = response.incomplete_details.reason, response.usage.output_tokens
    assert ("incomplete", "max_output_tokens", 16) == (response.status, reason, tokens)


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
        ({"input": ...}, "missing_required_parameter", "input"),
        ({"model": None}, "invalid_type", "model"),
        ({"input": None}, "invalid_type", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"temprature": 1}, "unknown_parameter", "temprature"),
        ({"text": {"colour": "red"}}, "unknown_parameter", "text.colour"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        *(
            ({"text": _format(**{name: None})}, "missing_required_parameter", path)
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
    if isinstance(changes, dict):
        body: dict[str, Any] = {"model": MODEL, "input": "Hello"} | changes
        changes = json.dumps({name: value for name, value in body.items() if value is not ...})
    status, error = _http(openai, "POST", "/responses", changes)
    assert 400 == status
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
    response = requests.get(f"{openai.base_url}/models", timeout=TIMEOUT)
    assert (401, "invalid_api_key") == (response.status_code, response.json()["error"]["code"])


def test_what_is_deleted_is_not_found(openai: FakeOpenAI, ai: OpenAI) -> None:
    """Items are deleted one by one: without it, they outlive their conversation."""
    kept, deleted = ai.conversations.create().id, ai.conversations.create().id
    response = [_respond(ai, conversation=each) for each in (kept, deleted)][1].id
    for item in list(ai.conversations.items.list(deleted)):
        ai.conversations.items.delete(str(item.id), conversation_id=deleted)
    ai.conversations.delete(deleted)
    ai.conversations.delete(kept)
    ai.responses.delete(response)
    thread = ai.beta.threads.create().id
    ai.beta.threads.delete(thread)

    state = openai.state()
    assert ([], [], 1) == (state["conversations"], state["threads"], len(state["responses"]))
    assert ["user", "assistant"] == [item["role"] for item in state["items"]]
    again = (
        lambda: ai.conversations.delete(deleted),
        lambda: ai.conversations.items.list(deleted),
        lambda: ai.responses.delete(response),
        lambda: ai.beta.threads.delete(thread),
    )
    for request in again:
        with pytest.raises(NotFoundError):
            request()


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
        ({k: v for k, v in SCHEMA.items() if k != "additionalProperties"}, "additionalProperties"),
        (SCHEMA | {"required": ["1"]}, "required"),
        (SCHEMA | {"required": "1"}, "required"),
        (SCHEMA | {"type": "array"}, "type"),
        (SCHEMA | {"properties": []}, "properties"),
        (SCHEMA | {"allOf": []}, "allOf"),
        *(
            (SCHEMA | {"properties": {"it": unsupported}}, "('properties', 'it'")
            for unsupported in (
                "string",
                {"description": "no type"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "string", "pattern": "^a$"},
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


def test_conversation_lock(openai: FakeOpenAI, ai: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second response in the same conversation is rejected until the first has ended."""
    conversation = ai.conversations.create().id
    thinking, may_end = threading.Event(), threading.Event()

    def think(seconds: float) -> None:
        if seconds:
            thinking.set()
            may_end.wait(TIMEOUT)

    monkeypatch.setattr(openai.wait, "sleep", think)
    openai.fail_next(Fault.thinking(1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_text, ai, conversation=conversation)
        assert thinking.wait(TIMEOUT)
        with pytest.raises(BadRequestError) as rejected:
            _text(ai, conversation=conversation)
        rejection = rejected.value
        assert ("conversation_locked", "conversation") == (rejection.code, rejection.param)
        assert _text(ai)
        may_end.set()
        assert first.result()
    assert _text(ai, conversation=conversation)


def test_every_response_takes_the_configured_time(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A response takes as long as the settings say."""
    openai.settings = OpenAISettings(answer_seconds=0.1)
    started = time.monotonic()
    _text(ai)
    assert time.monotonic() - started >= 0.1


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


def test_faults_apply_to_matching_requests_only(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A match limits a fault to some requests; a fault of the output needs a request for one."""
    openai.fail_next("server_error", match=Match(method="POST", paths=("/v1/responses",)))
    openai.fail_next("conflict", match=Match(contains="request-7"))
    openai.fail_next(Fault.refusal())
    conversation = ai.conversations.create(metadata={"request_id": "request-1"}).id
    with pytest.raises(sdk.InternalServerError):
        _respond(ai, conversation=conversation)
    with pytest.raises(sdk.ConflictError):
        ai.conversations.create(metadata={"request_id": "request-7"})
    assert "" == _respond(ai, conversation=conversation).output_text
    assert [] == openai.pending_faults


def test_a_response_can_be_a_refusal_or_fail(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A refusal is completed without text; a failure has an error, no output, and adds no items."""
    conversation = ai.conversations.create().id
    openai.fail_next(Fault.failed("rate_limit_exceeded", "Too much"))
    response = _respond(ai, conversation=conversation)
    assert ("failed", [], None) == (response.status, response.output, response.usage)
    assert ("rate_limit_exceeded", "Too much") == (response.error.code, response.error.message)
    assert [] == openai.state()["conversations"][0]["items"]

    openai.fail_next(Fault.refusal("No."))
    response = _respond(ai)
    (part,) = response.output[0].content
    assert ("completed", "") == (response.status, response.output_text)
    assert ("refusal", "No.") == (part.type, part.refusal)


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


def test_a_run_can_be_cancelled(ai: OpenAI, thread: Thread) -> None:
    """A cancelled run ends without a message and cannot be cancelled again."""
    run = _start(ai, thread)
    cancelling = ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    assert ("cancelling", "cancelled") == (cancelling.status, _poll(ai, run).status)
    assert 1 == len(_messages(ai, run))
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)


@pytest.mark.parametrize("by_fault", [False, True])
def test_run_takes_its_time(openai: FakeOpenAI, ai: OpenAI, thread: Thread, by_fault: bool) -> None:
    """A run does not end before its time, set for all runs or by a fault for one of them."""
    if by_fault:
        openai.fail_next(Fault.thinking(30))
    else:
        openai.settings = OpenAISettings(run_seconds=30, run_polls=1)
    run = _start(ai, thread)
    assert {"in_progress"} == {_poll(ai, run).status for _ in range(5)}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"max_completion_tokens": 255}, "integer_below_min_value"),
        (
            {"response_format": {**FORMAT, "json_schema": {"name": "x", "schema": SCHEMA}}},
            "missing_required_parameter",
        ),
        ({"response_format": {"type": "xml"}}, "invalid_value"),
        ({"tools": [{"type": "code_interpreter"}]}, "unsupported_parameter"),
    ],
)
def test_invalid_runs(ai: OpenAI, thread: Thread, options: dict[str, Any], code: str) -> None:
    """A low token limit, a schema that is not strict and unsupported parameters are rejected."""
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


@pytest.mark.parametrize("limit", [40, 100])
def test_a_text_is_shortened_at_a_sentence_or_word(limit: int) -> None:
    """The limit of the description is kept, without a partial word at the end."""
    text = _property(f"Two sentences. At most {limit} characters.")
    assert limit // 2 <= len(text) <= limit
    assert SENTENCES.startswith(text.rstrip("."))
    assert text == text.strip(" ,(")


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.none() | st.floats() | st.text(), st.lists), st.text(), st.integers(1, 200))
def test_a_property_fits_a_template(data: Any, description: str, limit: int) -> None:
    """A text is never empty, has one line and keeps to its limit, for any project data."""
    prompt = json.dumps({"project_data": data, "company_name": description})
    text = _property(f"At most {limit} characters. {description}", prompt)
    assert 1 <= len(text) <= limit
    assert text == " ".join(text.split())


def test_facts_come_from_the_most_recent_object() -> None:
    """Later texts of the prompt count only if the earlier ones are not JSON objects."""
    older = json.dumps({"recipient_first_name": "Bob"})
    assert "Ada" == _property("first name", "And now?", INPUT, older)
    assert "there" == _property("first name", '{"a":' * 100_000)
    deep = '{"project_data":' + '{"a":' * 300 + "1" + "}" * 300 + ',"recipient_first_name":"Ada"}'
    assert "Ada" == _property("first name", deep)


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
