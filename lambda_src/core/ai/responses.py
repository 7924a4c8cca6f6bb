"""The default engine: one response in a conversation of its own.

Requests go through the SDK's client and answers are read as plain JSON. The SDK's own models,
hundreds of classes of which a dozen fields are needed, take longer to import than all other work of
a cold start, and a third of the processor time of each answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2

from lambda_src.core.ai.errors import ai_refused, classify_failure, incomplete_answer
from lambda_src.core.ai.request import (
    SCHEMA_NAME,
    Deadline,
    prompt,
    read_variables,
    utc_now_iso,
    variables_schema,
)
from lambda_src.core.contract import Step
from lambda_src.core.errors import PermanentFailure
from lambda_src.core.models import Answer, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai import OpenAI

    from lambda_src.core.models import AssistantDefinition, GenerationRequest


def generate_with_responses(client: OpenAI, request: GenerationRequest) -> Answer:
    """Create a conversation and have the model answer in it; its id is the `thread_id`.

    Raises:
        openai.APIError: As the SDK raises it.
        ProcessingError: The answer is refused, incomplete, failed or not in the schema.
    """
    definition = request.definition
    if definition is None or not definition.model:
        raise PermanentFailure("assistant_without_model", Step.AI, "expected a model")
    deadline = Deadline(request.timeout)
    metadata = dict(request.metadata)
    conversation = _post(client, "/conversations", deadline, metadata=metadata)["id"]
    deadline.check()
    response = _post(
        client,
        "/responses",
        deadline,
        model=definition.model,
        instructions=definition.instructions,
        input=prompt(request.prompt_context),
        conversation=conversation,
        metadata=metadata,
        **_options(definition),
    )
    text = _complete_text(response)
    has_variables = bool(definition.variables)
    return Answer(
        thread_id=conversation,
        message_id=response["id"],
        created_at=utc_now_iso(),
        text="" if has_variables else text,
        variables=read_variables(text) if has_variables else {},
        usage=_usage(response),
    )


def _post(client: OpenAI, path: str, deadline: Deadline, **body: object) -> dict[str, Any]:
    answer = client.post(
        path, body=body, cast_to=httpx2.Response, options={"timeout": deadline.for_request()}
    )
    document: dict[str, Any] = json.loads(answer.content)
    return document


def _options(definition: AssistantDefinition) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if definition.max_output_tokens:
        options["max_output_tokens"] = definition.max_output_tokens
    if definition.variables:
        schema = variables_schema(definition)
        options["text"] = {
            "format": {
                "type": "json_schema",
                "name": SCHEMA_NAME,
                "schema": schema,
                "strict": True,
            }
        }
    return options


def _complete_text(response: Mapping[str, Any]) -> str:
    match response["status"]:
        case "incomplete":
            raise incomplete_answer((response.get("incomplete_details") or {}).get("reason"))
        case "completed":
            pass
        case _:
            raise classify_failure((response.get("error") or {}).get("code"))
    messages = [item for item in response["output"] if item["type"] == "message"]
    contents = [part for message in messages for part in message["content"]]
    if any(part["type"] == "refusal" for part in contents):
        raise ai_refused()
    return "".join(part["text"] for part in contents if part["type"] == "output_text")


def _usage(response: Mapping[str, Any]) -> Usage:
    usage = response.get("usage")
    if usage is None:
        return Usage(0, 0, 0)
    return Usage(usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
