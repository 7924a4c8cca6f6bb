"""Answers of the stand-in for OpenAI that are not what was wanted, or late."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import openai as sdk
import pytest
from openai import OpenAI

from local.stand_ins import Fault, OpenAISettings, OpenAIStandIn
from tests.local.stand_ins.made_up import MODEL
from tests.local.stand_ins.schemas import VARIABLES, text_format


def _respond(ai: OpenAI) -> str:
    return ai.responses.create(model=MODEL, input="Hello").output_text


def _wait_for_call(openai: OpenAIStandIn, path: str) -> None:
    deadline = time.monotonic() + 5
    while path not in {call.path for call in openai.requests}:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_refusal_is_a_completed_answer_without_text(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A refusal is HTTP 200, completed, one refusal part, and no text."""
    openai.fail_next(Fault.refusal("No."))
    response = ai.responses.create(model=MODEL, input="Hello")
    assert ("completed", "") == (response.status, response.output_text)
    message = response.output[0]
    assert "message" == message.type
    part = message.content[0]
    assert "refusal" == part.type
    assert "No." == part.refusal


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_answer_can_be_cut_off(openai: OpenAIStandIn, ai: OpenAI, reason: str) -> None:
    """An incomplete answer names its reason, and its JSON does not parse."""
    openai.fail_next(Fault.incomplete(reason))
    response = ai.responses.create(model=MODEL, input="Hello", text=text_format(VARIABLES))
    assert "incomplete" == response.status
    assert response.incomplete_details is not None
    assert reason == response.incomplete_details.reason
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.output_text)


def test_an_answer_can_fail(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A failed response carries its error, neither output nor usage, and adds no items."""
    conversation = ai.conversations.create()
    openai.fail_next(Fault.failed("rate_limit_exceeded", "Too much"))
    response = ai.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    assert ("failed", [], None) == (response.status, response.output, response.usage)
    assert response.error is not None
    assert ("rate_limit_exceeded", "Too much") == (response.error.code, response.error.message)
    assert [] == list(ai.conversations.items.list(conversation.id))


def test_an_answer_can_be_any_text(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A misfit answer has the fault's text, whatever the schema asks for."""
    openai.fail_next(Fault.misfit())
    openai.fail_next(Fault.misfit("not even JSON"))
    texts = [
        ai.responses.create(model=MODEL, input="Hello", text=text_format(VARIABLES)).output_text
        for _ in range(3)
    ]
    assert ['{"unexpected": true}', "not even JSON"] == texts[:2]
    assert {"1", "2"} == set(json.loads(texts[2]))


def test_spoilt_answers_wait_for_a_request_that_has_one(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A fault of answers passes by requests that have no answer to spoil."""
    openai.fail_next(Fault.refusal())
    conversation = ai.conversations.create()
    assert 1 == len(openai.pending_faults)
    assert (
        ""
        == ai.responses.create(model=MODEL, input="Hello", conversation=conversation.id).output_text
    )
    assert [] == openai.pending_faults


def test_a_conversation_is_locked_while_the_model_thinks(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A second response in the same conversation is refused until the first is there."""
    conversation = ai.conversations.create()
    openai.fail_next(Fault.thinking(0.3))

    def ask() -> str:
        return ai.responses.create(
            model=MODEL, input="Hello", conversation=conversation.id
        ).output_text

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask)
        _wait_for_call(openai, "/v1/responses")
        with pytest.raises(sdk.BadRequestError) as refused:
            ask()
        assert ("conversation_locked", "conversation") == (refused.value.code, refused.value.param)
        assert _respond(ai)
        assert first.result()
    assert ask()


def test_the_model_can_take_its_time(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """Every response takes as long as the settings say."""
    openai.settings = OpenAISettings(answer_seconds=0.1)
    started = time.monotonic()
    _respond(ai)
    assert time.monotonic() - started >= 0.1
