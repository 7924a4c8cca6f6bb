"""The selectable engine: a run on a thread of an Assistants-compatible server."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lambda_src.core.errors import Step, TransientFailure
from lambda_src.core.message import Answer, Usage
from lambda_src.core.openai_deadline import Deadline
from lambda_src.core.openai_errors import cut_off, meaning_of_failure, meaning_of_run, refused
from lambda_src.core.openai_request import (
    SCHEMA_NAME,
    iso_now,
    prompt,
    read_variables,
    variables_schema,
)

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.beta.threads import Message, Run

    from lambda_src.core.context import AssistantDefinition
    from lambda_src.core.message import Assignment

POLL_SECONDS = 0.5
"""Between two looks at a run."""
REQUEST_SECONDS = 20.0
"""For a single request at most; the run as a whole has the assignment's timeout."""
UNDERWAY = frozenset({"queued", "in_progress", "cancelling"})


# The SDK marks all of this interface as deprecated, which is known and chosen. Once and for all:
# filters for a part of the code are not safe among threads.
warnings.filterwarnings(
    "ignore", message="The Assistants API is deprecated", category=DeprecationWarning
)


def write_with_threads(client: OpenAI, assignment: Assignment) -> Answer:
    """Create a thread, run the assistant on it, and read what it wrote.

    Raises:
        openai.APIError: As the SDK raises it.
        ProcessingError: The run did not complete in time, or not with an answer that fits.
    """
    deadline = Deadline(assignment.timeout)
    thread_id, run = _started(client, assignment, deadline)
    run = _finished(client, thread_id, run, deadline)
    message = _answer(client, thread_id, run, deadline)
    text = _text(message)
    has_variables = bool(assignment.definition and assignment.definition.variables)
    return Answer(
        thread_id=thread_id,
        message_id=message.id,
        created_at=iso_now(),
        text="" if has_variables else text,
        variables=read_variables(text) if has_variables else {},
        usage=_usage(run),
    )


def _started(client: OpenAI, assignment: Assignment, deadline: Deadline) -> tuple[str, Run]:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": prompt(assignment.briefing)}],
        metadata=dict(assignment.metadata),
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    deadline.check()
    run = client.beta.threads.runs.create(
        thread.id,
        assistant_id=assignment.assistant_id,
        timeout=deadline.for_request(REQUEST_SECONDS),
        **_options(assignment.definition),
    )
    return thread.id, run


def _finished(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Run:
    try:
        return _polled(client, thread_id, run, deadline)
    except Exception:
        # A run that nobody waits for is billed all the same. How the cancelling ends says nothing
        # of the message: the run may be over by now, or the server be out of reach.
        with suppress(Exception):
            timeout = deadline.for_request(REQUEST_SECONDS)
            client.beta.threads.runs.cancel(run.id, thread_id=thread_id, timeout=timeout)
        raise


def _polled(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Run:
    while run.status in UNDERWAY:
        rest = deadline.rest()
        if rest <= 0:
            raise TransientFailure("openai_run_timeout", Step.AI)
        time.sleep(min(POLL_SECONDS, rest))
        run = client.beta.threads.runs.retrieve(
            run.id, thread_id=thread_id, timeout=deadline.for_request(REQUEST_SECONDS)
        )
    return run


def _answer(client: OpenAI, thread_id: str, run: Run, deadline: Deadline) -> Message:
    if run.status == "incomplete":
        details = run.incomplete_details
        raise cut_off(details.reason if details else None)
    if run.status != "completed":
        raise meaning_of_run(run.status, run.last_error.code if run.last_error else None)
    page = client.beta.threads.messages.list(
        thread_id,
        run_id=run.id,
        order="desc",
        limit=1,
        timeout=deadline.for_request(REQUEST_SECONDS),
    )
    if not page.data:
        raise meaning_of_failure("no_message")
    return page.data[0]


def _text(message: Message) -> str:
    if any(part.type == "refusal" for part in message.content):
        raise refused()
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
