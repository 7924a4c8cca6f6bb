"""The default engine: one response in a conversation of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_src.core.errors import PermanentFailure, Step
from lambda_src.core.message import Answer, Usage
from lambda_src.core.openai_deadline import Deadline
from lambda_src.core.openai_errors import cut_off, meaning_of_failure, refused
from lambda_src.core.openai_request import (
    SCHEMA_NAME,
    iso_now,
    prompt,
    read_variables,
    variables_schema,
)

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.responses import Response

    from lambda_src.core.context import AssistantDefinition
    from lambda_src.core.ports import Assignment


def write_with_responses(client: OpenAI, assignment: Assignment) -> Answer:
    """Create a conversation and let the model answer in it; its id is the `thread_id`.

    Raises:
        openai.APIError: As the SDK raises it.
        ProcessingError: The answer is refused, cut off, failed or not as the schema asks.
    """
    definition = assignment.definition
    if definition is None or not definition.model:
        raise PermanentFailure("assistant_without_model", Step.AI, "expected a model")
    deadline = Deadline(assignment.timeout)
    metadata = dict(assignment.metadata)
    conversation = client.conversations.create(metadata=metadata, timeout=deadline.for_request())
    deadline.check()
    response = client.responses.create(
        model=definition.model,
        instructions=definition.instructions,
        input=prompt(assignment.briefing),
        conversation=conversation.id,
        metadata=metadata,
        timeout=deadline.for_request(),
        **_options(definition),
    )
    text = _complete_text(response)
    has_variables = bool(definition.variables)
    return Answer(
        thread_id=conversation.id,
        message_id=response.id,
        created_at=iso_now(),
        text="" if has_variables else text,
        variables=read_variables(text) if has_variables else {},
        usage=_usage(response),
    )


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


def _complete_text(response: Response) -> str:
    match response.status:
        case "incomplete":
            details = response.incomplete_details
            raise cut_off(details.reason if details else None)
        case "completed":
            pass
        case _:
            raise meaning_of_failure(response.error.code if response.error else None)
    contents = [part for item in response.output if item.type == "message" for part in item.content]
    if any(part.type == "refusal" for part in contents):
        raise refused()
    return response.output_text


def _usage(response: Response) -> Usage:
    usage = response.usage
    if usage is None:
        return Usage(0, 0, 0)
    return Usage(usage.input_tokens, usage.output_tokens, usage.total_tokens)
