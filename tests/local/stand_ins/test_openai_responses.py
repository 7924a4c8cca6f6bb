"""Conversations and responses at the stand-in for OpenAI."""

import json
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types import Model
from openai.types.conversations import Conversation, ConversationItemList
from openai.types.responses import Response, response_create_params
from pydantic import BaseModel

from local.stand_ins import OpenAIStandIn
from local.stand_ins.openai.bodies import ResponseBody
from tests.local.stand_ins.made_up import KEY, MODEL
from tests.local.stand_ins.schemas import VARIABLES, text_format

BRIEFING = json.dumps(
    {
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
        "recipient_first_name": "Ada",
        "project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}, "job_id": "j-1"},
    }
)


def test_free_text_is_written_from_the_input(ai: OpenAI) -> None:
    """A response without a format greets the recipient and names company, project and data."""
    text = ai.responses.create(model=MODEL, input=BRIEFING).output_text
    for told in ("Ada", "Tom Reed", "Harbour Logistics", "Spring Intake", "hourly rate 12.85"):
        assert told in text
    assert "j-1" not in text


def test_a_schema_is_filled_from_the_input(ai: OpenAI) -> None:
    """A response with a schema holds every property, within the length that is asked for."""
    response = ai.responses.create(model=MODEL, input=BRIEFING, text=text_format(VARIABLES))
    variables = json.loads(response.output_text)
    assert {"1", "2"} == set(variables)
    assert "Ada" == variables["1"]
    assert "Harbour Logistics" in variables["2"]
    assert len(variables["2"]) <= 120


def test_the_same_request_gets_the_same_answer(ai: OpenAI) -> None:
    """Answers depend on nothing but the request."""
    texts = {ai.responses.create(model=MODEL, input=BRIEFING).output_text for _ in range(3)}
    assert 1 == len(texts)


def test_a_conversation_keeps_what_was_said(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """Input and output become items of the conversation, which later answers know."""
    conversation = ai.conversations.create(metadata={"conversation_id": "c-1"})
    first = ai.responses.create(model=MODEL, input=BRIEFING, conversation=conversation.id)
    second = ai.responses.create(model=MODEL, input="And now?", conversation=conversation.id)
    items = list(ai.conversations.items.list(conversation.id, order="asc", limit=3))
    assert ["user", "assistant", "user", "assistant"] == [_role(item) for item in items]
    assert (first.output[0].id, second.output[0].id) == (items[1].id, items[3].id)
    assert "Harbour Logistics" in second.output_text
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    assert conversation.id == openai.state()["conversations"][0]["id"]


def test_a_conversation_can_begin_with_items(ai: OpenAI) -> None:
    """Items given at the start stand in the conversation, and answers know them."""
    item: Any = {"type": "message", "role": "user", "content": BRIEFING}
    conversation = ai.conversations.create(items=[item])
    answer = ai.responses.create(model=MODEL, input="Go on", conversation=conversation.id)
    assert "Ada" in answer.output_text
    assert {"role": "user"}.items() <= _first_item(ai, conversation.id).items()
    assert conversation == ai.conversations.retrieve(conversation.id)


def test_a_stored_response_can_be_retrieved(ai: OpenAI) -> None:
    """A response can be fetched again unless it was not to be stored."""
    kept = ai.responses.create(model=MODEL, input="Hello")
    assert kept.output_text == ai.responses.retrieve(kept.id).output_text
    forgotten = ai.responses.create(model=MODEL, input="Hello", store=False)
    with pytest.raises(NotFoundError):
        ai.responses.retrieve(forgotten.id)


def test_long_answers_are_cut_off_at_the_token_limit(ai: OpenAI) -> None:
    """An answer longer than the limit is incomplete, and says why."""
    response = ai.responses.create(model=MODEL, input=BRIEFING, max_output_tokens=16)
    assert "incomplete" == response.status
    assert response.incomplete_details is not None
    assert "max_output_tokens" == response.incomplete_details.reason
    assert response.usage is not None
    assert 16 == response.usage.output_tokens


def test_what_was_asked_is_repeated(ai: OpenAI) -> None:
    """A response repeats the parameters that it was asked with."""
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 900,
        "metadata": {"request_id": "r-1"},
        "safety_identifier": "hash",
        "temperature": 0.5,
    }
    response = ai.responses.create(model=MODEL, input="Hello", text=text_format(VARIABLES), **asked)
    assert asked == {name: getattr(response, name) for name in asked}
    assert text_format(VARIABLES)["format"] == _raw(response)["text"]["format"]


def test_answers_have_exactly_the_sdks_form(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """Every resource passes the SDK's own types, and has no field that they do not know."""
    conversation = ai.conversations.create()
    response = ai.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    items = ai.conversations.items.with_raw_response.list(conversation.id)
    _check_form(Conversation, _raw(conversation))
    _check_form(Response, _raw(response))
    _check_form(ConversationItemList, items.http_response.json())
    _check_form(Model, _raw(ai.models.retrieve(MODEL)))
    assert openai.requests[-1].path == f"/v1/models/{MODEL}"


def test_models_can_be_listed(ai: OpenAI) -> None:
    """The models given are those that exist."""
    assert [MODEL, "model-two"] == [model.id for model in ai.models.list()]
    with pytest.raises(NotFoundError) as refused:
        ai.models.retrieve("gone")
    assert "model_not_found" == refused.value.code


def test_identifiers_are_of_openais_kinds(ai: OpenAI) -> None:
    """Identifiers begin with their kind and are never given twice."""
    conversation = ai.conversations.create()
    responses = [ai.responses.create(model=MODEL, input="Hello") for _ in range(2)]
    ids = [conversation.id, *(r.id for r in responses), *(r.output[0].id or "" for r in responses)]
    assert ["conv", "resp", "resp", "msg", "msg"] == [id_.split("_")[0] for id_ in ids]
    assert 5 == len(set(ids))


def test_every_parameter_of_the_sdk_is_known() -> None:
    """A parameter of the SDK is either understood or refused by its name, and none is made up."""
    sdk = response_create_params.ResponseCreateParamsBase.__annotations__
    known = {field.alias or name for name, field in ResponseBody.model_fields.items()}
    assert {*sdk, "stream"} == known | ResponseBody.not_played


def test_an_unknown_conversation_is_not_found(ai: OpenAI) -> None:
    """A conversation that does not exist is answered with 404, wherever it is named."""
    for call in (
        lambda: ai.conversations.retrieve("conv_gone"),
        lambda: ai.conversations.items.list("conv_gone"),
        lambda: ai.responses.create(model=MODEL, input="Hello", conversation="conv_gone"),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_lists_refuse_bad_parameters(ai: OpenAI) -> None:
    """A limit out of range and a cursor that is no item are refused."""
    conversation = ai.conversations.create()
    with pytest.raises(BadRequestError) as refused:
        ai.conversations.items.list(conversation.id, limit=0)
    assert ("integer_below_min_value", "limit") == (refused.value.code, refused.value.param)
    with pytest.raises(BadRequestError) as refused:
        ai.conversations.items.list(conversation.id, after="msg_gone")
    assert "after" == refused.value.param


def _check_form(model: type[BaseModel], content: dict[str, Any]) -> None:
    parsed = model.model_validate(content)
    assert set() == set(parsed.model_extra or {})


def _raw(resource: BaseModel) -> dict[str, Any]:
    return resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _role(item: object) -> str:
    return str(getattr(item, "role", None))


def _first_item(ai: OpenAI, conversation_id: str) -> dict[str, Any]:
    return _raw(next(iter(ai.conversations.items.list(conversation_id, order="asc"))))


def test_the_key_is_not_shown(openai: OpenAIStandIn, ai: OpenAI) -> None:
    """Neither the recorded calls nor the state hold the key."""
    ai.responses.create(model=MODEL, input="Hello")
    assert KEY not in str(openai.requests) + str(openai.state())
