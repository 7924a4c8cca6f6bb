"""Threads, messages and runs at the stand-in for OpenAI."""

import json
from typing import Any

import pytest
import requests
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Thread, thread_create_params
from openai.types.beta.threads import Message, Run, message_create_params, run_create_params

from local.stand_ins import Fault, OpenAISettings, OpenAIStandIn
from local.stand_ins.openai.thread_bodies import RunBody, ThreadBody, ThreadMessageBody
from tests.local.stand_ins.made_up import KEY, MODEL
from tests.local.stand_ins.schemas import VARIABLES

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")

ASSISTANT = "asst_first_contact"
PROMPT = "Company name: Harbour Logistics\nFirst name: Ada"
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {"name": "variables", "schema": VARIABLES, "strict": True},
}


@pytest.fixture
def thread(ai: OpenAI) -> Thread:
    """A thread with a message."""
    return ai.beta.threads.create(messages=[{"role": "user", "content": PROMPT}])


def _run(ai: OpenAI, thread: Thread, **options: Any) -> Run:
    run: Run = ai.beta.threads.runs.create(thread.id, assistant_id=ASSISTANT, **options)
    return run


def _poll(ai: OpenAI, run: Run) -> Run:
    return ai.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def _answer(ai: OpenAI, run: Run) -> Message:
    return ai.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0]


def test_a_run_goes_from_queued_to_completed(ai: OpenAI, thread: Thread) -> None:
    """A run completes after some polls, and its answer is the thread's newest message."""
    run = _run(ai, thread)
    statuses = [run.status, *(_poll(ai, run).status for _ in range(3))]
    assert ["queued", "in_progress", "completed", "completed"] == statuses
    content = _answer(ai, run).content[0]
    assert "text" == content.type
    assert "Ada" in content.text.value
    assert "Harbour Logistics" in content.text.value


def test_the_sdks_own_polling_works(ai: OpenAI, thread: Thread) -> None:
    """The SDK's helper polls as fast as the stand-in tells it to."""
    run = ai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=ASSISTANT)
    assert "completed" == run.status
    assert run.usage is not None
    assert run.usage.prompt_tokens + run.usage.completion_tokens == run.usage.total_tokens


def test_a_schema_is_filled(ai: OpenAI, thread: Thread) -> None:
    """A run with a schema answers with a document of it."""
    run = _finished(ai, _run(ai, thread, response_format=SCHEMA))
    content = _answer(ai, run).content[0]
    assert "text" == content.type
    assert {"1": "Ada"}.items() <= json.loads(content.text.value).items()


def test_messages_can_be_added_before_a_run(ai: OpenAI) -> None:
    """A message put into a thread is known to the run, as are a run's own messages."""
    thread = ai.beta.threads.create()
    ai.beta.threads.messages.create(thread.id, role="user", content="First name: Ada")
    extra: Any = [{"role": "user", "content": "Company name: Acme"}]
    run = _finished(ai, _run(ai, thread, additional_messages=extra))
    content = _answer(ai, run).content[0]
    assert "text" == content.type
    assert "Ada" in content.text.value
    assert "Acme" in content.text.value
    assert 3 == len(ai.beta.threads.messages.list(thread.id).data)


def test_a_thread_takes_one_run_at_a_time(ai: OpenAI, thread: Thread) -> None:
    """While a run is active, another run and another message are refused with 400."""
    run = _run(ai, thread)
    with pytest.raises(BadRequestError, match="already has an active run"):
        _run(ai, thread)
    with pytest.raises(BadRequestError, match="while a run"):
        ai.beta.threads.messages.create(thread.id, role="user", content="more")
    _finished(ai, run)
    assert _run(ai, thread).id


def test_a_run_can_be_cancelled(ai: OpenAI, thread: Thread) -> None:
    """A cancelled run ends without an answer, and cannot be cancelled again."""
    run = _run(ai, thread)
    cancelling = ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    assert ("cancelling", "cancelled") == (cancelling.status, _poll(ai, run).status)
    assert 1 == len(ai.beta.threads.messages.list(thread.id).data)
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)


def test_a_run_can_take_its_time(openai: OpenAIStandIn, ai: OpenAI, thread: Thread) -> None:
    """A run does not end before its time, however often it is asked for."""
    openai.settings = OpenAISettings(run_seconds=30, run_polls=1)
    run = _run(ai, thread)
    assert {"in_progress"} == {_poll(ai, run).status for _ in range(5)}


def test_a_run_can_be_told_to_take_longer(
    openai: OpenAIStandIn, ai: OpenAI, thread: Thread
) -> None:
    """A fault can keep a single run in progress."""
    openai.fail_next(Fault.thinking(30))
    run = _run(ai, thread)
    assert {"in_progress"} == {_poll(ai, run).status for _ in range(5)}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.failed("rate_limit_exceeded"), "failed"),
        (Fault.incomplete(), "incomplete"),
        (Fault.refusal(), "completed"),
        (Fault.misfit(), "completed"),
    ],
)
def test_runs_can_end_badly(
    openai: OpenAIStandIn, ai: OpenAI, thread: Thread, fault: Fault, status: str
) -> None:
    """A run shows a failure, a cut, a refusal and a misfit as OpenAI does."""
    openai.fail_next(fault)
    run = _finished(ai, _run(ai, thread, response_format=SCHEMA))
    assert status == run.status
    if status == "failed":
        assert run.last_error is not None
        assert "rate_limit_exceeded" == run.last_error.code
        assert 1 == len(ai.beta.threads.messages.list(thread.id).data)
        return
    answer = _answer(ai, run)
    assert status == answer.status
    assert ("refusal" if fault == Fault.refusal() else "text") == answer.content[0].type


def test_a_cut_run_says_why(openai: OpenAIStandIn, ai: OpenAI, thread: Thread) -> None:
    """An incomplete run and its message name their reasons in the words of the API."""
    openai.fail_next(Fault.incomplete("max_output_tokens"))
    run = _finished(ai, _run(ai, thread))
    assert run.incomplete_details is not None
    assert "max_completion_tokens" == run.incomplete_details.reason
    details = _answer(ai, run).incomplete_details
    assert details is not None
    assert "max_tokens" == details.reason


def test_resources_have_exactly_the_sdks_form(ai: OpenAI, thread: Thread) -> None:
    """Threads, runs and messages pass the SDK's own types."""
    run = _finished(ai, _run(ai, thread, model="model-two", metadata={"request_id": "r"}))
    answer = _answer(ai, run)
    for model, resource in ((Thread, thread), (Run, run), (Message, answer)):
        content = resource.model_dump(mode="json", by_alias=True, exclude_unset=True)
        model.model_validate(content)
    assert ("model-two", {"request_id": "r"}) == (run.model, run.metadata)
    assert (ASSISTANT, run.id) == (answer.assistant_id, answer.run_id)


@pytest.mark.parametrize(
    ("sdk", "body", "more"),
    [
        (thread_create_params.ThreadCreateParams, ThreadBody, set()),
        (message_create_params.MessageCreateParams, ThreadMessageBody, set()),
        (run_create_params.RunCreateParamsBase, RunBody, {"stream"}),
    ],
)
def test_every_parameter_of_the_sdk_is_known(
    sdk: type, body: type[ThreadBody], more: set[str]
) -> None:
    """A parameter of the SDK is either understood or refused by its name."""
    in_query = {"include"} if sdk is run_create_params.RunCreateParamsBase else set()
    assert set(sdk.__annotations__) - in_query | more == set(body.model_fields) | body.not_played


def test_unknown_things_are_not_found(ai: OpenAI, thread: Thread) -> None:
    """Threads and runs that do not exist are answered with 404."""
    for call in (
        lambda: ai.beta.threads.retrieve("thread_gone"),
        lambda: ai.beta.threads.messages.list("thread_gone"),
        lambda: ai.beta.threads.runs.create("thread_gone", assistant_id=ASSISTANT),
        lambda: ai.beta.threads.runs.retrieve("run_gone", thread_id=thread.id),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_assistants_can_be_limited_to_those_given() -> None:
    """With assistants given, others are not found, and each brings its model."""
    with (
        OpenAIStandIn(keys={KEY}, models=[MODEL, "b"], assistants={ASSISTANT: "b"}) as openai,
        OpenAI(api_key=KEY, base_url=openai.base_url, max_retries=0) as ai,
    ):
        thread = ai.beta.threads.create()
        assert "b" == _run(ai, thread).model
        with pytest.raises(NotFoundError, match="No assistant found"):
            ai.beta.threads.runs.create(ai.beta.threads.create().id, assistant_id="other")


def test_bad_parameters_are_refused(ai: OpenAI, thread: Thread) -> None:
    """A token limit below the API's, a schema that is not strict, unknown models are refused."""
    open_schema: Any = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
    }
    for options, code in (
        ({"max_completion_tokens": 255}, "integer_below_min_value"),
        ({"response_format": open_schema}, "invalid_json_schema"),
        ({"response_format": {"type": "xml"}}, "invalid_value"),
        ({"tools": [{"type": "code_interpreter"}]}, "unsupported_parameter"),
    ):
        with pytest.raises(BadRequestError) as refused:
            _run(ai, thread, **options)
        assert code == refused.value.code
    with pytest.raises(NotFoundError):
        _run(ai, thread, model="gone")


def test_the_apis_version_must_be_named(openai: OpenAIStandIn) -> None:
    """A request without the version's header is answered with 400."""
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = requests.post(f"{openai.base_url}/threads", headers=headers, timeout=5)
    assert (400, "invalid_beta") == (answer.status_code, answer.json()["error"]["code"])


def _finished(ai: OpenAI, run: Run) -> Run:
    while run.status in {"queued", "in_progress"}:
        run = _poll(ai, run)
    return run
