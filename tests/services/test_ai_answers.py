"""Answers of the AI as they occur in production: what is sent, and what is asked for once more."""

from contextlib import nullcontext
from typing import Any

import pytest

from lambda_src.core.ai.request import COMMENTARY, FINAL_ANSWER, final_text
from lambda_src.core.errors import InvalidAnswer
from local.fakes.faults import Fault, Match, RecordedRequest
from local.fakes.openai.model import REASONING_TOKENS
from tests.support.channel import (
    ASSISTANT,
    Channel,
    context,
    openai_config,
)

each_engine = pytest.mark.parametrize("engine", ["responses", "assistants"])
INVALID = [
    (Fault.reasoning_only(), "the answer contains no text"),
    (Fault.wrong_output('{"1": "Am'), "expected a JSON object"),
    (Fault.wrong_output('{"1": "", "2": "x"}'), "variable 1 is empty"),
    (Fault.incomplete(), "the answer was cut off by max_"),
]
"""Answers that cannot be sent, with the problem."""


def body(engine: str, definition: dict[str, Any] | None = None) -> str:
    """Return a context object for an engine, with that definition of the assistant, if any."""
    inline = {"assistant": definition} if definition else {}
    return context(lambda d: openai_config(d).update(inline, engine=engine))


def _questions(channel: Channel) -> list[RecordedRequest]:
    return [each for each in channel.openai.requests if each.path.endswith(("responses", "runs"))]


def instructions(request: RecordedRequest) -> str:
    """Return all instructions of a request."""
    return " ".join(
        str(request.body.get(name)) for name in ("instructions", "additional_instructions")
    )


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([(None, "Hello")], "Hello"),
        ([(None, "Hello"), (None, " Hello\n")], "Hello"),
        ([(COMMENTARY, "I will check."), (FINAL_ANSWER, "Hello")], "Hello"),
        ([(COMMENTARY, "I will check."), (None, "Hello")], "Hello"),
        ([(None, "Draft"), (FINAL_ANSWER, "Hello")], "Hello"),
        ([(FINAL_ANSWER, "Hello"), (FINAL_ANSWER, "Hello")], "Hello"),
        ([(COMMENTARY, "Hello"), (FINAL_ANSWER, "Hello")], "Hello"),
        ([(None, ""), (None, "Hello")], "Hello"),
        ([], None),
        ([(None, " \n")], None),
        ([(COMMENTARY, "I will check.")], None),
        ([(None, "Hello Amara"), (None, "how are you?")], None),
        ([(FINAL_ANSWER, "Hello Amara"), (FINAL_ANSWER, "Hello")], None),
    ],
)
def test_an_answers_text_is_its_final_one(
    texts: list[tuple[str | None, str]], expected: str | None
) -> None:
    """Commentary is ignored, a repetition counts once; no or several texts are invalid."""
    with nullcontext() if expected else pytest.raises(InvalidAnswer):
        assert expected == final_text(texts)


def test_a_thread_with_several_different_messages_is_asked_again(channel: Channel) -> None:
    """The messages of a run have no phase, so it cannot be determined which one is the answer."""
    channel.openai.fail_next(Fault.commentary())
    channel.deliver(body("assistants"))
    assert 1 == len(channel.phone())
    assert "several different texts" in instructions(_questions(channel)[1])


@pytest.mark.parametrize(
    ("engine", "fault", "problem"),
    [
        *(("responses", *each) for each in INVALID),
        *(("assistants", *each) for each in (INVALID[0], INVALID[-1])),
    ],
)
def test_an_invalid_answer_is_asked_for_once_more(
    channel: Channel, engine: str, fault: Fault, problem: str
) -> None:
    """In a new conversation and with the problem named; the log names it too."""
    channel.openai.fail_next(fault)
    assert [] == channel.deliver(body(engine))
    assert 1 == len(channel.phone())
    first, second = _questions(channel)
    assert problem not in instructions(first)
    assert problem in instructions(second)
    threads = [each.body.get("conversation") or each.path for each in (first, second)]
    assert threads[0] != threads[1]
    assert problem in channel.events()["ai_answer_invalid"]["message"]


@each_engine
def test_a_refusal_is_final(channel: Channel, engine: str) -> None:
    """The AI is not asked again."""
    channel.openai.fail_next(Fault.refusal())
    channel.deliver(body(engine))
    assert ("failed", "ai_answer_refused") == channel.status()
    assert 1 == len(_questions(channel))


@pytest.mark.parametrize("fault", [Fault.refusal(), Fault.reset()])
@each_engine
def test_what_a_failed_request_leaves_at_openai_is_recorded(
    channel: Channel, engine: str, fault: Fault
) -> None:
    """So that an erasure finds it: the conversation exists before the AI is asked in it."""
    answers = Match(method="POST", paths=("/v1/responses", "*/runs"))
    channel.openai.fail_next(fault, match=answers)
    channel.deliver(body(engine))
    assert channel.status()[0] in {"failed", "retry"}
    state = channel.openai.state()
    left = [each["id"] for each in (*state["conversations"], *state["threads"])]
    assert [*left, *state["responses"]] == channel.record()["discarded_threads"]


@pytest.mark.parametrize(("engine", "effort"), [("responses", "low"), ("assistants", "high")])
def test_reasoning_is_requested_and_billed(channel: Channel, engine: str, effort: str) -> None:
    """The definition's effort is sent, and the record counts the reasoning's tokens."""
    channel.deliver(body(engine, ASSISTANT | {"reasoning_effort": effort}))
    (question,) = _questions(channel)
    sent = question.body.get("reasoning", {}).get("effort") or question.body["reasoning_effort"]
    assert effort == sent
    (entry,) = channel.record()["messages"]
    assert entry["completion_tokens"] > REASONING_TOKENS[effort]


def test_an_inline_definition_has_precedence(channel: Channel) -> None:
    """Over the file of the same id; its verbosity is the Responses engine's only."""
    channel.deliver(body("responses", ASSISTANT | {"verbosity": "low"}))
    (question,) = _questions(channel)
    sent = (question.body["instructions"], question.body["text"]["verbosity"])
    assert ("Write.", "low") == (sent[0].partition("\n")[0], sent[1])
    assert 1 == len(channel.phone())
