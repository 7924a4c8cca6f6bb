"""Faults of the fake of OpenAI, as its SDK reports them."""

import json
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from local.fakes import FakeOpenAI, Fault, Match
from local.fakes.openai.errors import NAMED_FAULTS
from tests.local.fakes.clients import MODEL
from tests.local.fakes.test_openai_responses import text_format

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


def _respond(ai: OpenAI, **options: Any) -> Any:
    return ai.responses.create(model=MODEL, input="Hello", **options)


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


@pytest.mark.parametrize(
    ("fault", "error", "is_created"),
    [
        (Fault.error(429, "slow_down", "Slowly", retry_after=1.5), sdk.RateLimitError, False),
        (Fault.reset(), sdk.APIConnectionError, False),
        (Fault.reset(effect_applied=True), sdk.APIConnectionError, True),
        (Fault.hang(), sdk.APITimeoutError, False),
        (Fault.hang(effect_applied=True), sdk.APITimeoutError, True),
        (Fault.slow(1, effect_applied=True), sdk.APITimeoutError, True),
        (Fault.empty(), json.JSONDecodeError, True),
        (Fault.not_json(503), sdk.InternalServerError, False),
    ],
)
def test_a_failed_request_may_have_taken_effect(
    openai: FakeOpenAI, ai: OpenAI, fault: Fault, error: type[Exception], is_created: bool
) -> None:
    """Each fault raises the SDK's error, whether or not the conversation was created."""
    openai.fail_next(fault)
    with pytest.raises(error) as failed:
        ai.conversations.create(timeout=0.3)
    assert error is type(failed.value)
    assert is_created == bool(openai.state()["conversations"])
    if isinstance(failed.value, sdk.RateLimitError):
        assert "1.5" == failed.value.response.headers["retry-after"]
        assert "Slowly" in str(failed.value)


def test_a_page_with_a_status_of_success_is_a_string(openai: FakeOpenAI, ai: OpenAI) -> None:
    """For an HTML page with status 200 the SDK returns the page and raises nothing."""
    openai.fail_next(Fault.not_json(200))
    assert str is type(_respond(ai))


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


def test_a_refusal_is_a_completed_response_without_text(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A refusal is HTTP 200, completed, with one refusal part and no text."""
    openai.fail_next(Fault.refusal("No."))
    response = _respond(ai)
    (part,) = response.output[0].content
    assert ("completed", "", "refusal", "No.") == (
        response.status,
        response.output_text,
        part.type,
        part.refusal,
    )


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_a_response_can_be_incomplete(openai: FakeOpenAI, ai: OpenAI, reason: str) -> None:
    """An incomplete response names its reason, and its JSON does not parse."""
    openai.fail_next(Fault.incomplete(reason))
    response = _respond(ai, text=text_format())
    assert ("incomplete", reason) == (response.status, response.incomplete_details.reason)
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.output_text)


def test_a_response_can_fail(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A failed response has an error, no output and no usage, and adds no items."""
    conversation = ai.conversations.create().id
    openai.fail_next(Fault.failed("rate_limit_exceeded", "Too much"))
    response = _respond(ai, conversation=conversation)
    assert ("failed", [], None) == (response.status, response.output, response.usage)
    assert ("rate_limit_exceeded", "Too much") == (response.error.code, response.error.message)
    assert [] == openai.state()["conversations"][0]["items"]


def test_an_output_can_be_any_text(openai: FakeOpenAI, ai: OpenAI) -> None:
    """A wrong output is the fault's text, whatever the schema requires."""
    openai.fail_next(Fault.wrong_output())
    openai.fail_next(Fault.wrong_output("not even JSON"))
    texts = [_respond(ai, text=text_format()).output_text for _ in range(3)]
    assert ['{"unexpected": true}', "not even JSON"] == texts[:2]
    assert {"1", "2"} == set(json.loads(texts[2]))
