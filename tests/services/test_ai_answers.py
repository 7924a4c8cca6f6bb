"""Answers of the AI as they occur in production: what is sent, and what is asked for once more."""

import json

import pytest

from lambda_src import index
from lambda_src.core import time_budget
from lambda_src.core.ai.request import COMMENTARY, FINAL_ANSWER, final_text
from lambda_src.core.errors import InvalidAnswer
from local.fakes.faults import Fault, RecordedRequest
from local.fakes.openai.model import REASONING_TOKENS, OpenAISettings
from tests.support.channel import (
    ACCOUNT,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)

each_engine = pytest.mark.parametrize("engine", ["responses", "assistants"])
INVALID = [
    (Fault.reasoning_only(), "ai_answer_unfit", "the answer contains no text"),
    (Fault.wrong_output(""), "ai_answer_unfit", "the answer contains no text"),
    (Fault.wrong_output('{"1": "Am'), "ai_answer_unfit", "expected a JSON object"),
    (Fault.wrong_output('{"1": "Amara"}'), "ai_answer_unfit", "2 variables are defined"),
    (Fault.wrong_output('{"1": "", "2": "x"}'), "ai_answer_unfit", "variable 1 is empty"),
    (
        *(Fault.wrong_output(json.dumps({"1": "x" * 61, "2": "x"})), "ai_answer_unfit"),
        "variable 1 has 61 characters",
    ),
    (Fault.incomplete(), "ai_answer_cut_off", "the answer was cut off by max_"),
]
"""Answers that cannot be sent, with the failure code and the problem."""


def body(engine: str, **definition: object) -> str:
    """Return a context object for an engine; `definition` replaces the assistant's, if given."""
    return context(
        lambda d: (
            openai_config(d).update({"engine": engine} | {"assistant": definition})
            if definition
            else openai_config(d).update(engine=engine)
        )
    )


def questions(channel: Channel) -> list[RecordedRequest]:
    """Return the requests for an answer."""
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
    ],
)
def test_an_answers_text_is_its_final_one(
    texts: list[tuple[str | None, str]], expected: str
) -> None:
    """Commentary is ignored, a final answer has precedence, and repetitions count once."""
    assert expected == final_text(texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [(None, " \n")],
        [(COMMENTARY, "I will check.")],
        [(None, "Hello Amara"), (None, "how are you?")],
        [(FINAL_ANSWER, "Hello Amara"), (FINAL_ANSWER, "Hello")],
    ],
)
def test_an_ambiguous_answer_is_invalid(texts: list[tuple[str | None, str]]) -> None:
    """No text, and several different texts, which are never joined."""
    with pytest.raises(InvalidAnswer):
        final_text(texts)


@pytest.mark.parametrize("fault", [Fault.commentary(), Fault.repeated()])
def test_commentary_and_repetitions_are_not_sent(channel: Channel, fault: Fault) -> None:
    """The recipient gets the same message as without them, and the AI is asked once."""
    channel.deliver(context())
    channel.openai.fail_next(fault)
    channel.deliver(context(conversation_id="another"))
    first, second = channel.phone()
    assert first == second
    assert 2 == len(questions(channel))


def test_a_thread_with_several_different_messages_is_asked_again(channel: Channel) -> None:
    """The messages of a run have no phase, so it cannot be determined which one is the answer."""
    channel.openai.fail_next(Fault.commentary())
    channel.deliver(body("assistants"))
    assert 1 == len(channel.phone())
    assert "several different texts" in instructions(questions(channel)[1])


@pytest.mark.parametrize(("fault", "problem"), [(fault, text) for fault, _, text in INVALID])
@each_engine
def test_an_invalid_answer_is_asked_for_once_more(
    channel: Channel,
    engine: str,
    fault: Fault,
    problem: str,
) -> None:
    """In a new conversation and with the problem named; the log names it too."""
    channel.openai.fail_next(fault)
    assert [] == channel.deliver(body(engine))
    assert 1 == len(channel.phone())
    first, second = questions(channel)
    assert problem not in instructions(first)
    assert problem in instructions(second)
    threads = [each.body.get("conversation") or each.path for each in (first, second)]
    assert threads[0] != threads[1]
    assert problem in channel.events()["ai_answer_invalid"]["message"]


@pytest.mark.parametrize(("fault", "code", "problem"), INVALID)
@each_engine
def test_a_second_invalid_answer_ends_the_message(
    channel: Channel, engine: str, fault: Fault, code: str, problem: str
) -> None:
    """It is recorded as `failed`, and nothing is sent."""
    channel.openai.fail_next(fault, times=2)
    message = body(engine)
    assert [message] == channel.deliver(message)
    record = channel.record()
    assert ("failed", code) == (record["conversation_status"], record["failure"]["code"])
    assert problem in record["failure"]["detail"]
    assert 2 == len(questions(channel))
    assert [] == channel.twilio.requests


@pytest.mark.parametrize("fault", [Fault.refusal(), Fault.incomplete("content_filter")])
@each_engine
def test_a_refusal_is_final(channel: Channel, engine: str, fault: Fault) -> None:
    """The AI is not asked again."""
    channel.openai.fail_next(fault)
    channel.deliver(body(engine))
    assert "ai_answer_refused" == channel.record()["failure"]["code"]
    assert 1 == len(questions(channel))


def test_without_time_for_a_second_request_the_message_is_retried_at_once(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next delivery asks again."""
    monkeypatch.setattr(time_budget, "MIN_AI_SECONDS", 17.5)
    channel.openai.fail_next(Fault.wrong_output())
    channel.openai.settings = OpenAISettings(answer_seconds=1)
    reserve = index.batch_handler().flow.times.acquire_reserve
    channel.deliver(context(), seconds_left=reserve + 0.4)
    record = channel.record()
    assert ("retry", "out_of_time") == (record["conversation_status"], record["failure"]["code"])
    assert 1 == len(questions(channel))
    assert [] == channel.deliver(context(), receive_count=2)
    assert 1 == len(channel.phone())


@each_engine
def test_the_record_has_the_tokens_of_both_requests(channel: Channel, engine: str) -> None:
    """The discarded answer is billed as well, and both are in the metrics."""
    channel.openai.fail_next(Fault.wrong_output("an answer that is not JSON"))
    channel.deliver(body(engine))
    (entry,) = channel.record()["messages"]
    sums = {name: sum(values) for line in channel.read_metrics() for name, values in _tokens(line)}
    assert entry["prompt_tokens"] == sums["PromptTokens"]
    assert entry["completion_tokens"] == sums["CompletionTokens"]


def _tokens(line: dict[str, object]) -> list[tuple[str, list[float]]]:
    names = ("PromptTokens", "CompletionTokens")
    return [(name, value) for name, value in line.items() if name in names]  # type: ignore[misc]


CITED: list[tuple[str, str]] = [
    ("We offer moving【4:0†faq.pdf】. When?", "We offer moving. When?"),
    ("We offer moving 【12†source】 and storage", "We offer moving and storage"),
    ("We offer moving \ue200cite\ue202turn0search0\ue201. When?", "We offer moving. When?"),
    ("【Offer】 Moving", "【Offer】 Moving"),
]


@pytest.mark.parametrize(("written", "sent"), CITED)
@each_engine
def test_citation_markers_are_not_sent(
    channel: Channel, engine: str, written: str, sent: str
) -> None:
    """They refer to files that the recipient cannot see."""
    secret = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    channel.set_secret(TWILIO_SECRET, json.dumps(secret))
    channel.openai.fail_next(Fault.wrong_output(written))
    channel.deliver(body(engine, model="gpt-6-luna", instructions="Write."))
    assert [sent] == channel.phone()
    assert sent == channel.record()["messages"][0]["content"]


def test_an_incomplete_citation_marker_is_invalid(channel: Channel) -> None:
    """Where it ends is unknown, so the AI is asked again."""
    answer = {"1": "Amara", "2": "We offer moving【4:0†faq. When?"}
    channel.openai.fail_next(Fault.wrong_output(json.dumps(answer, ensure_ascii=False)))
    channel.deliver(context())
    assert "citation" in instructions(questions(channel)[1])


@pytest.mark.parametrize("effort", ["none", "low", "high"])
@each_engine
def test_reasoning_is_requested_and_billed(channel: Channel, engine: str, effort: str) -> None:
    """The definition's effort is sent, and the record counts the reasoning's tokens."""
    variables = {"1": {"description": "The first name"}, "2": {"description": "The message"}}
    definition = {"model": "gpt-6-luna", "instructions": "Write.", "variables": variables}
    channel.deliver(body(engine, **definition, reasoning_effort=effort))
    (question,) = questions(channel)
    sent = question.body.get("reasoning", {}).get("effort") or question.body["reasoning_effort"]
    assert effort == sent
    (entry,) = channel.record()["messages"]
    assert entry["completion_tokens"] > REASONING_TOKENS[effort]


def test_verbosity_is_requested(channel: Channel) -> None:
    """It is the Responses engine's only."""
    variables = {"1": {"description": "The first name"}, "2": {"description": "The message"}}
    definition = {"model": "gpt-6-luna", "instructions": "Write.", "variables": variables}
    channel.deliver(body("responses", **definition, verbosity="low"))
    (question,) = questions(channel)
    assert "low" == question.body["text"]["verbosity"]
    assert 1 == len(channel.phone())


def test_the_shipped_assistants_spend_no_tokens_on_reasoning(channel: Channel) -> None:
    """A first message needs none, and its tokens would be billed as output."""
    channel.deliver(context())
    (question,) = questions(channel)
    assert {"effort": "none"} == question.body["reasoning"]
