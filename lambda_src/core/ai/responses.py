"""The default engine: one response in a conversation of its own.

Requests go through the SDK's client and answers are read as plain JSON. The SDK's own models,
hundreds of classes of which a dozen fields are needed, take longer to import than all other work of
a cold start, and a third of the processor time of each answer.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
from openai import NotFoundError

from lambda_src.core.ai.errors import ai_refused, classify_failure, incomplete_answer
from lambda_src.core.ai.request import (
    SCHEMA_NAME,
    Deadline,
    instructions,
    prompt,
    read_answer,
    variables_schema,
)
from lambda_src.core.contract import Step
from lambda_src.core.errors import ConfigurationRefused
from lambda_src.core.models import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from openai import OpenAI

    from lambda_src.core.ai.request import Texts
    from lambda_src.core.models import Answer, AssistantDefinition, GenerationRequest

MODERATION_MODEL = "omni-moderation-latest"
"""Free of charge (https://platform.openai.com/docs/guides/moderation)."""


def generate_with_responses(
    client: OpenAI, request: GenerationRequest, created: list[str]
) -> Answer:
    """Create a conversation and have the model answer in it; its id is the `thread_id`.

    Args:
        client: The tenant's client.
        request: What is asked.
        created: Receives the ids of what OpenAI stores, as soon as they are known.

    Raises:
        openai.APIError: As the SDK raises it.
        InvalidAnswer: The answer is incomplete, ambiguous or not in the schema.
        ProcessingError: The answer is refused or failed.
    """
    definition = request.definition
    if definition is None or not definition.model:
        raise ConfigurationRefused("assistant_without_model", Step.AI, "expected a model")
    deadline = Deadline(request.timeout)
    metadata = dict(request.metadata)
    conversation = _post(client, "/conversations", deadline, metadata=metadata)["id"]
    created.append(conversation)
    deadline.check()
    response = _post(
        client,
        "/responses",
        deadline,
        model=definition.model,
        instructions=instructions(request, definition.instructions),
        input=prompt(request.prompt_context),
        conversation=conversation,
        metadata=metadata,
        safety_identifier=request.safety_identifier or None,
        **_options(definition),
    )
    created.append(response["id"])
    usage = _usage(response)
    return read_answer(
        definition,
        lambda: _texts(response),
        thread_id=conversation,
        message_id=response["id"],
        usage=usage,
    )


def moderate(client: OpenAI, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
    """Return the categories for which OpenAI's moderation flags any of the texts.

    Args:
        client: The tenant's client.
        texts: The texts.
        timeout: Seconds for the answer.

    Raises:
        openai.APIError: As the SDK raises it.
    """
    deadline = Deadline(timeout)
    answer = _post(client, "/moderations", deadline, model=MODERATION_MODEL, input=list(texts))
    flagged = (result for result in answer["results"] if result["flagged"])
    found = {name for result in flagged for name, is_so in result["categories"].items() if is_so}
    return tuple(sorted(found))


def shutdown_date(client: OpenAI, model: str, timeout: float) -> date | None:
    """Return when a model is shut down; None if no date is announced.

    Args:
        client: A client with any key that may use it.
        model: The model.
        timeout: Seconds for the answer.

    Raises:
        openai.APIError: As the SDK raises it; `NotFoundError` if there is no such model.
    """
    answer = _request(client.get, f"/models/{quote(model, safe='')}", Deadline(timeout))
    announced = json.loads(answer.content).get("shutdown_date")
    return date.fromisoformat(announced[:10]) if announced else None


def delete_conversation(client: OpenAI, conversation: str, timeout: float) -> None:
    """Delete a conversation and its items, which OpenAI keeps otherwise.

    Args:
        client: The tenant's client.
        conversation: Its id.
        timeout: Seconds for all requests.

    Raises:
        openai.APIError: As the SDK raises it; it is no error if the conversation is gone.
    """
    deadline, path = Deadline(timeout), f"/conversations/{conversation}"
    with suppress(NotFoundError):
        items = json.loads(_request(client.get, f"{path}/items", deadline).content)["data"]
        for item in items:
            _request(client.delete, f"{path}/items/{item['id']}", deadline)
        _request(client.delete, path, deadline)


def delete_response(client: OpenAI, response: str, timeout: float) -> None:
    """Delete a response, which OpenAI keeps for 30 days beside its conversation.

    Raises:
        openai.APIError: As the SDK raises it; it is no error if the response is gone.
    """
    with suppress(NotFoundError):
        _request(client.delete, f"/responses/{response}", Deadline(timeout))


def _request(
    method: Callable[..., httpx2.Response], path: str, deadline: Deadline
) -> httpx2.Response:
    deadline.check()
    return method(path, cast_to=httpx2.Response, options={"timeout": deadline.for_request()})


def _post(client: OpenAI, path: str, deadline: Deadline, **body: object) -> dict[str, Any]:
    # A whole address, since the SDK parses a path's twice: 1 % of a message's processor time.
    answer = client.post(
        str(client.base_url).rstrip("/") + path,
        body=body,
        cast_to=httpx2.Response,
        options={"timeout": deadline.for_request()},
    )
    document: dict[str, Any] = json.loads(answer.content)
    return document


def _options(definition: AssistantDefinition) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if definition.max_output_tokens:
        options["max_output_tokens"] = definition.max_output_tokens
    if definition.reasoning_effort:
        options["reasoning"] = {"effort": definition.reasoning_effort}
    text: dict[str, Any] = {}
    if definition.verbosity:
        text["verbosity"] = definition.verbosity
    if definition.variables:
        text["format"] = {
            "type": "json_schema",
            "name": SCHEMA_NAME,
            "schema": variables_schema(definition),
            "strict": True,
        }
    return {**options, "text": text} if text else options


def _texts(response: Mapping[str, Any]) -> Texts:
    match response["status"]:
        case "incomplete":
            details = response.get("incomplete_details") or {}
            raise incomplete_answer(details.get("reason"))
        case "completed":
            pass
        case _:
            raise classify_failure((response.get("error") or {}).get("code"))
    parts = list(_message_parts(response))
    if any(part["type"] == "refusal" for _, part in parts):
        raise ai_refused()
    return [(phase, part["text"]) for phase, part in parts if "text" in part]


def _message_parts(response: Mapping[str, Any]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    for item in response["output"]:
        if item["type"] == "message":
            for part in item["content"]:
                yield item.get("phase"), part


def _usage(response: Mapping[str, Any]) -> Usage:
    usage = response.get("usage")
    if usage is None:
        return Usage(0, 0, 0)
    return Usage(usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
