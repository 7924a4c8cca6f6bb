"""Runs of threads at the stand-in for OpenAI: how they go on and how they end."""

import json
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.beta import Thread

from local.stand_ins import Fault, OpenAISettings, OpenAIStandIn
from tests.local.stand_ins.schemas import VARIABLES
from tests.local.stand_ins.threads import ASSISTANT, answer, finished, poll, start

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated")

SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {"name": "variables", "schema": VARIABLES, "strict": True},
}


def test_a_run_goes_from_queued_to_completed(ai: OpenAI, thread: Thread) -> None:
    """A run completes after some polls, and its answer is the thread's newest message."""
    run = start(ai, thread)
    statuses = [run.status, *(poll(ai, run).status for _ in range(3))]
    assert ["queued", "in_progress", "completed", "completed"] == statuses
    content = answer(ai, run).content[0]
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
    run = finished(ai, start(ai, thread, response_format=SCHEMA))
    content = answer(ai, run).content[0]
    assert "text" == content.type
    assert {"1": "Ada"}.items() <= json.loads(content.text.value).items()


def test_messages_can_be_added_before_a_run(ai: OpenAI) -> None:
    """A message put into a thread is known to the run, as are a run's own messages."""
    thread = ai.beta.threads.create()
    ai.beta.threads.messages.create(thread.id, role="user", content="First name: Ada")
    extra: Any = [{"role": "user", "content": "Company name: Acme"}]
    run = finished(ai, start(ai, thread, additional_messages=extra))
    content = answer(ai, run).content[0]
    assert "text" == content.type
    assert "Ada" in content.text.value
    assert "Acme" in content.text.value
    assert 3 == len(ai.beta.threads.messages.list(thread.id).data)


def test_a_thread_takes_one_run_at_a_time(ai: OpenAI, thread: Thread) -> None:
    """While a run is active, another run and another message are refused with 400."""
    run = start(ai, thread)
    with pytest.raises(BadRequestError, match="already has an active run"):
        start(ai, thread)
    with pytest.raises(BadRequestError, match="while a run"):
        ai.beta.threads.messages.create(thread.id, role="user", content="more")
    finished(ai, run)
    assert start(ai, thread).id


def test_a_run_can_be_cancelled(ai: OpenAI, thread: Thread) -> None:
    """A cancelled run ends without an answer, and cannot be cancelled again."""
    run = start(ai, thread)
    cancelling = ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    assert ("cancelling", "cancelled") == (cancelling.status, poll(ai, run).status)
    assert 1 == len(ai.beta.threads.messages.list(thread.id).data)
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        ai.beta.threads.runs.cancel(run.id, thread_id=thread.id)


def test_a_run_can_take_its_time(openai: OpenAIStandIn, ai: OpenAI, thread: Thread) -> None:
    """A run does not end before its time, however often it is asked for."""
    openai.settings = OpenAISettings(run_seconds=30, run_polls=1)
    run = start(ai, thread)
    assert {"in_progress"} == {poll(ai, run).status for _ in range(5)}


def test_a_run_can_be_told_to_take_longer(
    openai: OpenAIStandIn, ai: OpenAI, thread: Thread
) -> None:
    """A fault can keep a single run in progress."""
    openai.fail_next(Fault.thinking(30))
    run = start(ai, thread)
    assert {"in_progress"} == {poll(ai, run).status for _ in range(5)}


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
    run = finished(ai, start(ai, thread, response_format=SCHEMA))
    assert status == run.status
    if status == "failed":
        assert run.last_error is not None
        assert "rate_limit_exceeded" == run.last_error.code
        assert 1 == len(ai.beta.threads.messages.list(thread.id).data)
        return
    message = answer(ai, run)
    assert status == message.status
    assert ("refusal" if fault == Fault.refusal() else "text") == message.content[0].type


def test_a_cut_run_says_why(openai: OpenAIStandIn, ai: OpenAI, thread: Thread) -> None:
    """An incomplete run and its message name their reasons in the words of the API."""
    openai.fail_next(Fault.incomplete("max_output_tokens"))
    run = finished(ai, start(ai, thread))
    assert run.incomplete_details is not None
    assert "max_completion_tokens" == run.incomplete_details.reason
    details = answer(ai, run).incomplete_details
    assert details is not None
    assert "max_tokens" == details.reason
