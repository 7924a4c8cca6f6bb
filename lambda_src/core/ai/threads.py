"""The selectable engine: a run on a thread of an Assistants-compatible server."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lambda_src.core.ai.errors import ai_refused, classify_failure, classify_run, incomplete_answer
from lambda_src.core.ai.request import (
    SCHEMA_NAME,
    Deadline,
    prompt,
    read_variables,
    utc_now_iso,
    variables_schema,
)
from lambda_src.core.contract import Step
from lambda_src.core.errors import TransientFailure
from lambda_src.core.models import Answer, Usage

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.beta.threads import Message, Run

    from lambda_src.core.models import AssistantDefinition, GenerationRequest

POLL_SECONDS = 0.5
"""Between two polls of a run."""
REQUEST_SECONDS = 20.0
"""Maximum timeout of a single request; the run as a whole has the answer's timeout."""
RUNNING = frozenset({"queued", "in_progress", "cancelling"})


# The SDK marks this interface as deprecated, and its users chose it. The filter is global, since
# `warnings.catch_warnings` is not thread-safe.
warnings.filterwarnings(
    "ignore", message="The Assistants API is deprecated", category=DeprecationWarning
)


def generate_with_threads(client: OpenAI, request: GenerationRequest) -> Answer:
    """Create a thread, run the assistant on it, and read its answer.

    Raises:
        openai.APIError: As the SDK raises it.
        ProcessingError: The run did not complete in time, or without a valid answer.
    """
    deadline = Deadline(request.timeout)
    thread_id, run = _start(client, request, deadline)
    run = _await_completion(client, thread_id, run, deadline)
    message = _answer(client, thread_id, run, deadline)
    text = _text(message)
    has_variables = bool(request.definition and request.definition.variables)
    return Answer(
        thread_id=thread_id,
        message_id=message.id,
        created_at=utc_now_iso(),
        text="" if has_variables else text,
        variables=read_variables(text) if has_variables else {},
        usage=_usage(run),
    )


def _start(client: OpenAI, request: GenerationRequest, deadline: Deadline) -> tuple[str, Run]:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": prompt(request.prompt_context)}],
        metadata=dict(request.metadata),
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    deadline.check()
    run = client.beta.threads.runs.create(
        thread.id,
        assistant_id=request.assistant_id,
        timeout=deadline.for_request(REQUEST_SECONDS),
        **_options(request.definition),
    )
    return thread.id, run


def _await_completion(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Run:
    try:
        return _poll(client, thread_id, run, deadline)
    except Exception:
        # An abandoned run is still billed. The result of cancelling does not matter: the run may
        # have ended by now, or the server be unreachable.
        with suppress(Exception):
            timeout = deadline.for_request(REQUEST_SECONDS)
            client.beta.threads.runs.cancel(run.id, thread_id=thread_id, timeout=timeout)
        raise


def _poll(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Run:
    while run.status in RUNNING:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise TransientFailure("openai_run_timeout", Step.AI)
        time.sleep(min(POLL_SECONDS, remaining))
        run = client.beta.threads.runs.retrieve(
            run.id, thread_id=thread_id, timeout=deadline.for_request(REQUEST_SECONDS)
        )
    return run


def _answer(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Message:
    if run.status == "incomplete":
        details = run.incomplete_details
        raise incomplete_answer(details.reason if details else None)
    if run.status != "completed":
        raise classify_run(run.status, run.last_error.code if run.last_error else None)
    page = client.beta.threads.messages.list(
        thread_id,
        run_id=run.id,
        order="desc",
        limit=1,
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    if not page.data:
        raise classify_failure("no_message")
    return page.data[0]


def _text(message: Message) -> str:
    if any(part.type == "refusal" for part in message.content):
        raise ai_refused()
    return "".join(part.text.value for part in message.content if part.type == "text")


def _options(definition: AssistantDefinition | None) -> dict[str, Any]:
    if definition is None:
        return {}
    options: dict[str, Any] = {
        "model": definition.model,
        "instructions": definition.instructions,
        "max_completion_tokens": definition.max_output_tokens,
    }
    if definition.variables:
        schema = variables_schema(definition)
        options["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": SCHEMA_NAME, "schema": schema, "strict": True},
        }
    return {name: value for name, value in options.items() if value}


def _usage(run: Run) -> Usage:
    if run.usage is None:
        return Usage(0, 0, 0)
    return Usage(run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens)
