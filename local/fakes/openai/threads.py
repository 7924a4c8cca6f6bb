"""Threads of the Assistants API, version 2, which OpenAI has shut down and other vendors serve."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, request

from local.fakes.openai.errors import OpenAIError
from local.fakes.openai.model import (
    MAX_OUTPUT_TOKENS,
    OpenAISettings,
    Output,
    check_model,
    generate,
)
from local.fakes.openai.requests import RunBody, ThreadBody, page, parse
from local.fakes.openai.responses import new_id
from local.fakes.server import injected_fault

_PREFIX = "/v1/threads"
_EXPIRES_AFTER_SECONDS = 600


@dataclass(slots=True)
class Run:
    """A run of a thread: queued, in progress, then ended.

    Attributes:
        id: Its identifier.
        thread_id: Its thread.
        model: The model.
        body: The request that created it.
        output: Its outcome, unless it is cancelled.
        created: Creation time in seconds since the epoch.
        polls_left: Number of polls before it can end.
        earliest_end: Time before which it does not end.
        status: Its status.
        ended: When it ended; 0 while it is active.
    """

    id: str
    thread_id: str
    model: str
    body: RunBody
    output: Output
    created: float
    polls_left: int
    earliest_end: float
    status: str = "queued"
    ended: float = 0.0

    def poll(self) -> bool:
        """Advance by one step if it is due.

        Returns:
            Whether the run has just ended other than failed.
        """
        if self.ended:
            return False
        if self.status == "cancelling":
            self.status, self.ended = "cancelled", time.time()
            return False
        self.status = "in_progress"
        self.polls_left -= 1
        if self.polls_left > 0 or time.time() < self.earliest_end:
            return False
        self.status, self.ended = self.output.status, time.time()
        return self.status != "failed"

    def cancel(self) -> None:
        """Request cancellation, which the next poll completes.

        Raises:
            OpenAIError: It has ended.
        """
        if self.ended:
            raise OpenAIError(None, f"Cannot cancel run with status '{self.status}'.")
        self.status = "cancelling"

    def resource(self) -> dict[str, Any]:
        """Return the JSON of the run."""
        body = self.body
        return {
            "id": self.id,
            "object": "thread.run",
            "thread_id": self.thread_id,
            "assistant_id": body.assistant_id,
            "model": self.model,
            "status": self.status,
            **self._times(),
            **self._outcome(),
            "instructions": body.instructions or "",
            "max_completion_tokens": body.max_completion_tokens,
            "response_format": body.response_format.model_dump(exclude_none=True)
            if body.response_format
            else "auto",
            "max_prompt_tokens": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "reasoning_effort": body.reasoning_effort,
            "required_action": None,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation_strategy": {"type": "auto", "last_messages": None},
        }

    def messages(self) -> list[dict[str, Any]]:
        """Return the JSON of the messages that the run wrote, oldest first."""
        own = {"assistant_id": self.body.assistant_id, "run_id": self.id}
        commentary = self.output.commentary
        comments = [_message(self.thread_id, "assistant", _text(commentary))] if commentary else []
        return [
            *(comment | own for comment in comments),
            *(self._answer() | own for _ in range(self.output.copies)),
        ]

    def _answer(self) -> dict[str, Any]:
        output = self.output
        part = _text(output.text)
        if output.refused:
            part = {"type": "refusal", "refusal": output.text}
        reason = "content_filter" if output.reason == "content_filter" else "max_tokens"
        completed = output.status == "completed"
        return _message(self.thread_id, "assistant", part) | {
            "status": output.status,
            "completed_at": int(self.ended) if completed else None,
            "incomplete_at": None if completed else int(self.ended),
            "incomplete_details": None if completed else {"reason": reason},
        }

    def _times(self) -> dict[str, int | None]:
        ended, created = int(self.ended), int(self.created)
        return {
            "created_at": created,
            "started_at": None if self.status == "queued" else created,
            "expires_at": None if self.ended else created + _EXPIRES_AFTER_SECONDS,
            **{
                f"{status}_at": ended if self.status == status else None
                for status in ("completed", "cancelled", "failed")
            },
        }

    def _outcome(self) -> dict[str, Any]:
        reason, written = self.output.reason, self.output.output_tokens
        reason = "max_completion_tokens" if reason == MAX_OUTPUT_TOKENS else reason
        if self.status == "cancelled":
            written = 0
        usage = {
            "prompt_tokens": self.output.input_tokens,
            "completion_tokens": written,
            "total_tokens": self.output.input_tokens + written,
        }
        failed, incomplete = self.status == "failed", self.status == "incomplete"
        return {
            "last_error": {"code": reason, "message": self.output.error} if failed else None,
            "incomplete_details": {"reason": reason} if incomplete else None,
            "usage": usage if self.ended and not failed else None,
        }


@dataclass(slots=True)
class Thread:
    """A thread.

    Attributes:
        resource: Its JSON.
        messages: Its messages as JSON, oldest first.
        runs: Its runs by their ids, oldest first.
    """

    resource: dict[str, Any]
    messages: list[dict[str, Any]]
    runs: dict[str, Run] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """Return the texts of all messages, newest first."""
        parts = [part for message in reversed(self.messages) for part in message["content"]]
        return [part["text"]["value"] for part in parts if part["type"] == "text"]


class ThreadRoutes:
    """The routes of threads, messages and runs, with their state.

    Args:
        models: The models that exist.
        settings: Returns the current settings.

    Attributes:
        limit: Number of threads that are kept.
    """

    def __init__(self, models: Sequence[str], settings: Callable[[], OpenAISettings]) -> None:
        self._models = models
        self._settings = settings
        self._lock = threading.RLock()
        self._threads: dict[str, Thread] = {}
        self.limit = math.inf

    def register(self, application: Flask) -> None:
        """Add the routes to an application."""
        run = f"{_PREFIX}/<thread_id>/runs/<run_id>"
        application.before_request(_check_version)
        application.post(_PREFIX)(self._create_thread)
        application.delete(f"{_PREFIX}/<thread_id>")(self._delete_thread)
        application.get(f"{_PREFIX}/<thread_id>/messages")(self._list_messages)
        application.post(f"{_PREFIX}/<thread_id>/runs")(self._create_run)
        application.get(run)(self._retrieve_run)
        application.post(f"{run}/cancel")(self._cancel_run)

    def clear(self) -> None:
        """Remove all threads."""
        with self._lock:
            self._threads.clear()

    def state(self) -> dict[str, Any]:
        """Return all threads with their messages and runs."""
        with self._lock:
            threads = [
                {
                    **thread.resource,
                    "messages": list(thread.messages),
                    "runs": [run.resource() for run in thread.runs.values()],
                }
                for thread in self._threads.values()
            ]
        return {"threads": threads}

    def _create_thread(self) -> dict[str, Any]:
        body = parse(ThreadBody, request.get_data())
        id_ = new_id("thread")
        resource = {
            "id": id_,
            "object": "thread",
            "created_at": int(time.time()),
            "metadata": body.metadata or {},
            "tool_resources": {},
        }
        messages = [_message(id_, each.role, _text(each.content)) for each in body.messages]
        with self._lock:
            self._threads[id_] = Thread(resource, messages)
            if len(self._threads) > self.limit:
                del self._threads[next(iter(self._threads))]
        return resource

    def _delete_thread(self, thread_id: str) -> dict[str, Any]:
        with self._lock:
            self._thread(thread_id)
            del self._threads[thread_id]
        return {"id": thread_id, "object": "thread.deleted", "deleted": True}

    def _list_messages(self, thread_id: str) -> dict[str, Any]:
        return page(list(self._thread(thread_id).messages), request.args.to_dict())

    def _create_run(self, thread_id: str) -> dict[str, Any]:
        body = parse(RunBody, request.get_data())
        model = body.model or self._models[0]
        check_model(model, self._models)
        properties = body.response_format.properties() if body.response_format else None
        with self._lock:
            thread = self._thread(thread_id)
            for run in thread.runs.values():
                if not run.ended:
                    problem = f"Thread {thread_id} already has an active run {run.id}."
                    raise OpenAIError(None, problem)
            run = self._new_run(thread_id, body, model, properties)
            thread.runs[run.id] = run
            return run.resource()

    def _new_run(
        self, thread_id: str, body: RunBody, model: str, properties: dict[str, str] | None
    ) -> Run:
        fault, settings, now = injected_fault(request.environ), self._settings(), time.time()
        instructions = filter(None, [body.instructions, body.additional_instructions])
        prompt = [*self._thread(thread_id).texts(), *instructions]
        return Run(
            id=new_id("run"),
            thread_id=thread_id,
            model=model,
            body=body,
            output=generate(
                prompt,
                properties,
                body.max_completion_tokens,
                fault,
                body.reasoning_effort,
                obeys_input=settings.obeys_input,
            ),
            created=now,
            polls_left=settings.run_polls,
            earliest_end=now + settings.run_seconds + (fault.seconds if fault else 0),
        )

    def _retrieve_run(self, thread_id: str, run_id: str) -> dict[str, Any]:
        with self._lock:
            run = self._run(thread_id, run_id)
            if run.poll():
                self._thread(thread_id).messages.extend(run.messages())
            return run.resource()

    def _cancel_run(self, thread_id: str, run_id: str) -> dict[str, Any]:
        with self._lock:
            run = self._run(thread_id, run_id)
            run.cancel()
            return run.resource()

    def _thread(self, thread_id: str) -> Thread:
        with self._lock:
            thread = self._threads.get(thread_id)
        if thread is None:
            raise OpenAIError.not_found(f"No thread found with id '{thread_id}'.")
        return thread

    def _run(self, thread_id: str, run_id: str) -> Run:
        run = self._thread(thread_id).runs.get(run_id)
        if run is None:
            raise OpenAIError.not_found(f"No run found with id '{run_id}'.")
        return run


def _message(thread_id: str, role: str, part: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("msg"),
        "object": "thread.message",
        "created_at": int(time.time()),
        "thread_id": thread_id,
        "role": role,
        "content": [part],
        "assistant_id": None,
        "run_id": None,
        "attachments": [],
        "metadata": {},
        "status": "completed",
        "completed_at": None,
        "incomplete_at": None,
        "incomplete_details": None,
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _check_version() -> None:
    if request.path.startswith(_PREFIX) and request.headers.get("OpenAI-Beta") != "assistants=v2":
        message = "You must provide the 'OpenAI-Beta' header to access the Assistants API."
        raise OpenAIError("invalid_beta", message)
