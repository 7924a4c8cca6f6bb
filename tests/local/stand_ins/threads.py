"""Steps that tests of threads share."""

from typing import Any

from openai import OpenAI
from openai.types.beta import Thread
from openai.types.beta.threads import Message, Run

ASSISTANT = "asst_first_contact"


def start(ai: OpenAI, thread: Thread, **options: Any) -> Run:
    """Begin a run."""
    run: Run = ai.beta.threads.runs.create(thread.id, assistant_id=ASSISTANT, **options)
    return run


def poll(ai: OpenAI, run: Run) -> Run:
    """Ask once how far a run is."""
    return ai.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def finished(ai: OpenAI, run: Run) -> Run:
    """Ask until a run has ended."""
    while run.status in {"queued", "in_progress"}:
        run = poll(ai, run)
    return run


def answer(ai: OpenAI, run: Run) -> Message:
    """The message with which a run has ended."""
    return ai.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0]
