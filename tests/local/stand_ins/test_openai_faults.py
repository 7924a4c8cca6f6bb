"""Faults of the stand-in for OpenAI, as its SDK sees them."""

import json

import openai as sdk
import pytest
from openai import OpenAI

from local.stand_ins import Fault, Match, OpenAIStandIn
from local.stand_ins.openai.errors import NAMED_FAULTS
from tests.local.stand_ins.made_up import MODEL

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
        ai.conversations.create(timeout=1.0)
    assert error is type(failed.value)
    assert effect_applied == bool(openai.state()["conversations"])


def test_an_answer_can_come_late(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A slow answer is the normal one, and a client with less patience times out."""
    openai.fail_next(Fault.slow(1.0), times=2)
    assert ai.conversations.create().id
    with pytest.raises(sdk.APITimeoutError):
        ai.conversations.create(timeout=0.3)


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


def test_a_page_may_come_in_place_of_a_resource(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """For an HTML page with status 200 the SDK returns the page, a string, and raises nothing."""
    openai.fail_next(Fault.not_json(200))
    page: object = ai.responses.create(model=MODEL, input="Hello")
    assert str is type(page)


def test_faults_can_be_aimed(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """A match lets a fault befall only the requests that it describes."""
    openai.fail_next("server_error", match=Match(method="POST", paths=("/v1/responses",)))
    openai.fail_next("conflict", match=Match(contains="request-7"))
    conversation = ai.conversations.create(metadata={"request_id": "request-1"})
    with pytest.raises(sdk.InternalServerError):
        ai.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    with pytest.raises(sdk.ConflictError):
        ai.conversations.create(metadata={"request_id": "request-7"})
