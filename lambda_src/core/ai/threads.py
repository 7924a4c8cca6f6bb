"""The selectable engine: a run on a thread of an Assistants-compatible server."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from openai import NotFoundError

from lambda_src.core.ai.errors import ai_refused, classify_run, incomplete_answer
from lambda_src.core.ai.request import (
    SCHEMA_NAME,
    Deadline,
    instructions,
    prompt,
    read_answer,
    variables_schema,
)
from lambda_src.core.contract import Step
from lambda_src.core.errors import TransientFailure
from lambda_src.core.models import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai import OpenAI
    from openai.types.beta.threads import Message, Run

    from lambda_src.core.ai.request import Texts
    from lambda_src.core.models import Answer, GenerationRequest

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


def generate_with_threads(client: OpenAI, request: GenerationRequest, created: list[str]) -> Answer:
    """Create a thread, run the assistant on it, and read its answer.

    Args:
        client: The tenant's client.
        request: What is asked.
        created: Receives the thread's id as soon as it is known.

    Raises:
        openai.APIError: As the SDK raises it.
        InvalidAnswer: The answer is incomplete, ambiguous or not in the schema.
        ProcessingError: The run did not complete in time, or the answer is refused.
    """
    deadline = Deadline(request.timeout)
    thread_id, run = _start(client, request, deadline, created)
    run = _await_completion(client, thread_id, run, deadline)
    messages = _messages(client, thread_id, run, deadline)
    return read_answer(
        request.definition,
        lambda: _texts(run, messages),
        thread_id=thread_id,
        message_id=messages[0].id if messages else "",
        usage=_usage(run),
    )


def delete_thread(client: OpenAI, thread_id: str, timeout: float) -> None:
    """Delete a thread with its messages.

    Raises:
        openai.APIError: As the SDK raises it; it is no error if the thread is gone.
    """
    with suppress(NotFoundError):
        client.beta.threads.delete(thread_id, timeout=timeout)


def _start(
    client: OpenAI, request: GenerationRequest, deadline: Deadline, created: list[str]
) -> tuple[str, Run]:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": prompt(request.prompt_context)}],
        metadata=dict(request.metadata),
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    created.append(thread.id)
    deadline.check()
    run = client.beta.threads.runs.create(
        thread.id,
        assistant_id=request.assistant_id,
        timeout=deadline.for_request(REQUEST_SECONDS),
        **_options(request),
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


def _messages(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> list[Message]:
    """Return the messages of a run, the newest first; none of one that ended early."""
    if run.status == "incomplete":
        return []
    if run.status != "completed":
        raise classify_run(run.status, run.last_error.code if run.last_error else None)
    page = client.beta.threads.messages.list(
        thread_id,
        run_id=run.id,
        order="desc",
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    return page.data


def _texts(run: Run, messages: Sequence[Message]) -> Texts:
    if run.status == "incomplete":
        details = run.incomplete_details
        raise incomplete_answer(details.reason if details else None)
    parts = [(message, part) for message in messages for part in message.content]
    if any(part.type == "refusal" for _, part in parts):
        raise ai_refused()
    # The SDK's type of a thread's message has no phase, but a compatible server may send it.
    return [
        (getattr(message, "phase", None), part.text.value)
        for message, part in parts
        if part.type == "text"
    ]


def _options(request: GenerationRequest) -> dict[str, Any]:
    options: dict[str, Any]
    definition = request.definition
    if definition is None or not definition.instructions:  # the server's are added to
        options = {"additional_instructions": instructions(request, "")}
    else:
        options = {"instructions": instructions(request, definition.instructions)}
    if definition is None:
        return options
    options |= {
        "model": definition.model,
        "max_completion_tokens": definition.max_output_tokens,
        "reasoning_effort": definition.reasoning_effort,
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
