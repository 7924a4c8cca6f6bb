"""Threads and their runs at the fake of OpenAI: format, course, outcomes and validation."""

import json
from typing import Any

import pytest
import requests
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Thread
from openai.types.beta.threads import Message, Run

from local.fakes import FakeOpenAI, Fault, OpenAISettings
from tests.local.fakes.clients import KEY
from tests.local.fakes.test_openai_responses import INPUT, SCHEMA

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")

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
    for kind, resource in ((Thread, thread), (Run, _poll(ai, run)), (Message, message)):
        kind.model_validate(resource.model_dump(mode="json", by_alias=True, exclude_unset=True))


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
def test_a_run_takes_its_time(
    openai: FakeOpenAI, ai: OpenAI, thread: Thread, by_fault: bool
) -> None:
    """A run does not end before its time, set for all runs or by a fault for one of them."""
    if by_fault:
        openai.fail_next(Fault.thinking(30))
    else:
        openai.settings = OpenAISettings(run_seconds=30, run_polls=1)
    run = _start(ai, thread)
    assert {"in_progress"} == {_poll(ai, run).status for _ in range(5)}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.incomplete("max_output_tokens"), ("incomplete", "text")),
        (Fault.refusal(), ("completed", "refusal")),
        (Fault.wrong_output(), ("completed", "text")),
    ],
)
def test_a_run_can_end_without_the_requested_output(
    openai: FakeOpenAI, ai: OpenAI, thread: Thread, fault: Fault, expected: tuple[str, str]
) -> None:
    """An incomplete, refused or wrong output is a message; an incomplete one names its reason."""
    openai.fail_next(fault)
    run = _end(ai, _start(ai, thread, response_format=FORMAT))
    message = _messages(ai, run)[0]
    assert expected == (run.status, message.content[0].type)
    assert run.status == message.status
    if run.incomplete_details and message.incomplete_details:
        reasons = (run.incomplete_details.reason, message.incomplete_details.reason)
        assert ("max_completion_tokens", "max_tokens") == reasons


def test_a_run_can_fail(openai: FakeOpenAI, ai: OpenAI, thread: Thread) -> None:
    """A failed run names its error and adds no message."""
    openai.fail_next(Fault.failed("rate_limit_exceeded"))
    run = _end(ai, _start(ai, thread))
    assert run.last_error is not None
    assert ("failed", "rate_limit_exceeded") == (run.status, run.last_error.code)
    assert 1 == len(_messages(ai, run))


def test_missing_resources_are_not_found(ai: OpenAI, thread: Thread) -> None:
    """Threads, runs and models that do not exist are 404 errors."""
    for call in (
        lambda: ai.beta.threads.messages.list("thread_gone"),
        lambda: ai.beta.threads.runs.create("thread_gone", assistant_id=ASSISTANT),
        lambda: ai.beta.threads.runs.retrieve("run_gone", thread_id=thread.id),
        lambda: _start(ai, thread, model="gone"),
    ):
        with pytest.raises(NotFoundError):
            call()


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
def test_invalid_parameters_are_rejected(
    ai: OpenAI, thread: Thread, options: dict[str, Any], code: str
) -> None:
    """A low token limit, a schema that is not strict and unsupported parameters are rejected."""
    with pytest.raises(BadRequestError) as rejected:
        _start(ai, thread, **options)
    assert code == rejected.value.code


def test_the_apis_version_is_required(openai: FakeOpenAI) -> None:
    """A request without the version's header is a 400 error."""
    headers = {"Authorization": f"Bearer {KEY}"}
    response = requests.post(f"{openai.base_url}/threads", headers=headers, timeout=5)
    assert (400, "invalid_beta") == (response.status_code, response.json()["error"]["code"])
