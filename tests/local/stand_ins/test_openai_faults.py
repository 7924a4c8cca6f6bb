"""Faults of the stand-in for OpenAI, as its SDK sees them."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai as sdk
import pytest
from openai import OpenAI

from local.stand_ins import Fault, Match, OpenAISettings, OpenAIStandIn
from local.stand_ins.openai.errors import NAMED_FAULTS
from tests.local.stand_ins.made_up import MODEL
from tests.local.stand_ins.schemas import VARIABLES, text_format

CLASSES: dict[int, type[sdk.APIStatusError]] = {
    400: sdk.BadRequestError,
    401: sdk.AuthenticationError,
    403: sdk.PermissionDeniedError,
    404: sdk.NotFoundError,
    409: sdk.ConflictError,
    422: sdk.UnprocessableEntityError,
    429: sdk.RateLimitError,
    500: sdk.InternalServerError,
    502: sdk.InternalServerError,
    503: sdk.InternalServerError,
    504: sdk.InternalServerError,
}
DOCUMENTED = {
    "conversation_locked": 400,
    "invalid_value": 400,
    "invalid_api_key": 401,
    "unsupported_country_region_territory": 403,
    "model_not_found": 404,
    "request_timeout": 408,
    "conflict": 409,
    "unprocessable_entity": 422,
    "rate_limit_exceeded": 429,
    "slow_down": 429,
    "insufficient_quota": 429,
    "credit_balance_exhausted": 429,
    "organization_spend_limit_exceeded": 429,
    "project_usage_limit_exceeded": 429,
    "server_error": 500,
    "service_unavailable": 503,
}


def _respond(ai: OpenAI) -> str:
    return ai.responses.create(model=MODEL, input="Hello").output_text


@pytest.mark.parametrize("name", sorted(NAMED_FAULTS))
def test_every_error_code_reaches_the_sdk(openai: OpenAIStandIn, ai: OpenAI, name: str) -> None:
    """A fault named like an error code raises the SDK's class for its status, with the code."""
    openai.fail_next(name)
    with pytest.raises(sdk.APIStatusError) as failed:
        _respond(ai)
    status = failed.value.status_code
    assert name == failed.value.code
    assert CLASSES.get(status, sdk.APIStatusError) is type(failed.value)
    assert (failed.value.request_id or "").startswith("req_")
    assert _respond(ai)


def test_error_codes_have_their_documented_status() -> None:
    """Each documented code is answered with the status that is documented for it."""
    assert DOCUMENTED == {name: NAMED_FAULTS[name].status for name in DOCUMENTED}


def test_a_throttle_says_when_to_come_again(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """The Retry-After header carries the seconds that the fault names."""
    openai.fail_next(Fault.error(429, "rate_limit_exceeded", "Slowly", retry_after=1.5))
    with pytest.raises(sdk.RateLimitError, match="Slowly") as failed:
        _respond(ai)
    assert "1.5" == failed.value.response.headers["retry-after"]


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
        _wait_until(lambda: bool(openai.requests[1:]))
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


@pytest.mark.parametrize("effect_applied", [False, True])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Fault.reset, sdk.APIConnectionError),
        (Fault.hang, sdk.APITimeoutError),
    ],
)
def test_a_lost_answer_may_or_may_not_have_taken_effect(
    openai: OpenAIStandIn, ai: OpenAI, make: object, error: type[Exception], effect_applied: bool
) -> None:
    """A reset and a timeout look the same whether or not the conversation exists afterwards."""
    assert callable(make)
    openai.fail_next(make(effect_applied=effect_applied))
    with pytest.raises(error) as failed:
        ai.conversations.create(timeout=0.1)
    assert error is type(failed.value)
    assert effect_applied == bool(openai.state()["conversations"])


def test_an_answer_can_come_late(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A slow answer is the normal one, and a client with less patience times out."""
    openai.fail_next(Fault.slow(0.1), times=2)
    assert ai.conversations.create().id
    with pytest.raises(sdk.APITimeoutError):
        ai.conversations.create(timeout=0.03)


def test_an_empty_answer_is_no_response(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """An empty body with status 200 raises the JSON decoder's error, outside the SDK's classes."""
    openai.fail_next(Fault.empty())
    with pytest.raises(json.JSONDecodeError):
        ai.conversations.create()
    assert 1 == len(openai.state()["conversations"])


def test_a_gateways_page_has_no_code(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """An HTML error page raises the class of its status, without a code."""
    openai.fail_next(Fault.not_json(503))
    with pytest.raises(sdk.InternalServerError) as failed:
        _respond(ai)
    assert (503, None) == (failed.value.status_code, failed.value.code)


def test_faults_can_be_aimed(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A match lets a fault befall only the requests that it describes."""
    openai.fail_next("server_error", match=Match(method="POST", paths=("/v1/responses",)))
    openai.fail_next("conflict", match=Match(contains="request-7"))
    conversation = ai.conversations.create(metadata={"request_id": "request-1"})
    with pytest.raises(sdk.InternalServerError):
        ai.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    with pytest.raises(sdk.ConflictError):
        ai.conversations.create(metadata={"request_id": "request-7"})


def _wait_until(happened: object) -> None:
    assert callable(happened)
    deadline = time.monotonic() + 5
    tick = threading.Event()
    while not happened() and time.monotonic() < deadline:
        tick.wait(0.005)
    assert happened()
