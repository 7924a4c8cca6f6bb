"""Threads at the stand-in for OpenAI: their form, and what they refuse."""

from typing import Any

import pytest
import requests
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Thread, thread_create_params
from openai.types.beta.threads import Message, Run, message_create_params, run_create_params

from local.stand_ins import OpenAIStandIn
from local.stand_ins.openai.thread_bodies import RunBody, ThreadBody, ThreadMessageBody
from tests.local.stand_ins.made_up import KEY, MODEL
from tests.local.stand_ins.threads import ASSISTANT, answer, finished, start

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")


def test_resources_have_exactly_the_sdks_form(ai: OpenAI, thread: Thread) -> None:
    """Threads, runs and messages pass the SDK's own types."""
    run = finished(ai, start(ai, thread, model="model-two", metadata={"request_id": "r"}))
    message = answer(ai, run)
    for model, resource in ((Thread, thread), (Run, run), (Message, message)):
        content = resource.model_dump(mode="json", by_alias=True, exclude_unset=True)
        model.model_validate(content)
    assert ("model-two", {"request_id": "r"}) == (run.model, run.metadata)
    assert (ASSISTANT, run.id) == (message.assistant_id, message.run_id)


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
        assert "b" == start(ai, thread).model
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
            start(ai, thread, **options)
        assert code == refused.value.code
    with pytest.raises(NotFoundError):
        start(ai, thread, model="gone")


def test_the_apis_version_must_be_named(openai: OpenAIStandIn) -> None:
    """A request without the version's header is answered with 400."""
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = requests.post(f"{openai.base_url}/threads", headers=headers, timeout=5)
    assert (400, "invalid_beta") == (answer.status_code, answer.json()["error"]["code"])
