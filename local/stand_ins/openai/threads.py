"""Threads of the Assistants API with their messages and runs."""

import threading
import time
from collections.abc import Callable
from typing import Any

from local.stand_ins.openai.errors import OpenAIError, not_found
from local.stand_ins.openai.identifiers import new_id
from local.stand_ins.openai.runs import Run
from local.stand_ins.openai.thread import Thread
from local.stand_ins.openai.thread_bodies import RunBody, ThreadBody, ThreadMessageBody
from local.stand_ins.openai.thread_messages import answered_message, written_message


class ThreadStore:
    """All threads; safe to use from every thread of the program."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: dict[str, Thread] = {}

    def create(self, body: ThreadBody) -> dict[str, Any]:
        """Begin a thread, and show it."""
        thread = Thread(new_id("thread"), int(time.time()), body.metadata or {})
        thread.messages.extend(
            written_message(thread.id, message) for message in body.messages or []
        )
        with self._lock:
            self._threads[thread.id] = thread
        return thread.resource()

    def show(self, thread_id: str) -> dict[str, Any]:
        """The JSON of a thread.

        Raises:
            OpenAIError: There is none with this id.
        """
        return self._get(thread_id).resource()

    def write(self, thread_id: str, body: ThreadMessageBody) -> dict[str, Any]:
        """Put a message at the end of a thread, and show it.

        Raises:
            OpenAIError: There is no such thread, or a run of it has not ended.
        """
        with self._lock:
            thread = self._get(thread_id)
            run = thread.active_run()
            if run is not None:
                problem = f"Can't add messages to {thread.id} while a run {run.id} is active."
                raise OpenAIError(None, problem)
            thread.messages.append(written_message(thread.id, body))
            return thread.messages[-1]

    def messages(self, thread_id: str) -> list[dict[str, Any]]:
        """The messages of a thread, oldest first.

        Raises:
            OpenAIError: There is no such thread.
        """
        with self._lock:
            return list(self._get(thread_id).messages)

    def run(self, thread_id: str, body: RunBody, begin: Callable[[Thread], Run]) -> dict[str, Any]:
        """Begin a run of a thread, and show it.

        Args:
            thread_id: The thread.
            body: The request.
            begin: Makes the run, once the request's own messages are in the thread.

        Raises:
            OpenAIError: There is no such thread, or another run of it has not ended.
        """
        with self._lock:
            thread = self._get(thread_id)
            active = thread.active_run()
            if active is not None:
                problem = f"Thread {thread.id} already has an active run {active.id}."
                raise OpenAIError(None, problem)
            extra = body.additional_messages or []
            thread.messages.extend(written_message(thread.id, message) for message in extra)
            run = begin(thread)
            thread.runs[run.id] = run
            return run.resource()

    def poll(self, thread_id: str, run_id: str) -> dict[str, Any]:
        """Let a run go on, and show it.

        Raises:
            OpenAIError: There is no such thread or run.
        """
        with self._lock:
            thread, run = self._get_run(thread_id, run_id)
            if run.poll():
                thread.messages.append(answered_message(run))
            return run.resource()

    def cancel(self, thread_id: str, run_id: str) -> dict[str, Any]:
        """Ask a run to end, and show it.

        Raises:
            OpenAIError: There is no such thread or run, or it has ended.
        """
        with self._lock:
            _, run = self._get_run(thread_id, run_id)
            run.cancel()
            return run.resource()

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._threads.clear()

    def state(self) -> list[dict[str, Any]]:
        """All threads with their messages and runs."""
        with self._lock:
            return [
                {
                    **thread.resource(),
                    "messages": list(thread.messages),
                    "runs": [run.resource() for run in thread.runs.values()],
                }
                for thread in self._threads.values()
            ]

    def _get(self, thread_id: str) -> Thread:
        with self._lock:
            thread = self._threads.get(thread_id)
        if thread is None:
            raise not_found(f"No thread found with id '{thread_id}'.")
        return thread

    def _get_run(self, thread_id: str, run_id: str) -> tuple[Thread, Run]:
        thread = self._get(thread_id)
        if run_id not in thread.runs:
            raise not_found(f"No run found with id '{run_id}'.")
        return thread, thread.runs[run_id]
