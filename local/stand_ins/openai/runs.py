"""Runs of a thread: queued, in progress, and how they end."""

import time
from dataclasses import dataclass
from typing import Any

from local.stand_ins.openai.answers import MAX_OUTPUT_TOKENS, Answer
from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.identifiers import new_id
from local.stand_ins.openai.settings import OpenAISettings
from local.stand_ins.openai.thread_bodies import RunBody

_EXPIRES_AFTER_SECONDS = 600


@dataclass(slots=True)
class Run:
    """A run and how far it has come.

    Attributes:
        id: Its identifier.
        thread_id: Its thread.
        model: The model that answers.
        body: The request that began it.
        answer: What it will come to.
        created: When it began, in seconds since the epoch.
        polls_left: How often it must still be asked for before it can end.
        ends_at: When it can end at the earliest.
        status: Where it stands.
        ended: When it ended; 0 before.
    """

    id: str
    thread_id: str
    model: str
    body: RunBody
    answer: Answer
    created: float
    polls_left: int
    ends_at: float
    status: str = "queued"
    ended: float = 0.0

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return not self.ended

    def poll(self) -> bool:
        """Go on by one step, as time allows.

        Returns:
            Whether the run has just ended with an answer.
        """
        if not self.active:
            return False
        if self.status == "cancelling":
            self._end("cancelled")
            return False
        self.status = "in_progress"
        self.polls_left -= 1
        if self.polls_left > 0 or time.time() < self.ends_at:
            return False
        self._end(self.answer.status)
        return self.status != "failed"

    def cancel(self) -> None:
        """Ask it to end; it has ended when it is next asked for.

        Raises:
            OpenAIError: It has ended already.
        """
        if not self.active:
            raise OpenAIError(None, f"Cannot cancel run with status '{self.status}'.")
        self.status = "cancelling"

    def resource(self) -> dict[str, Any]:
        """The JSON of the run."""
        return {
            "id": self.id,
            "object": "thread.run",
            "thread_id": self.thread_id,
            "assistant_id": self.body.assistant_id,
            "model": self.model,
            "status": self.status,
            **self._times(),
            **self._outcome(),
            **self._repeated(),
            "required_action": None,
            "tools": [],
            "tool_choice": "auto",
            "truncation_strategy": {"type": "auto", "last_messages": None},
        }

    def _end(self, status: str) -> None:
        self.status = status
        self.ended = time.time()

    def _times(self) -> dict[str, int | None]:
        ended = int(self.ended)
        return {
            "created_at": int(self.created),
            "started_at": None if self.status == "queued" else int(self.created),
            "expires_at": int(self.created) + _EXPIRES_AFTER_SECONDS if self.active else None,
            "completed_at": ended if self.status == "completed" else None,
            "cancelled_at": ended if self.status == "cancelled" else None,
            "failed_at": ended if self.status == "failed" else None,
        }

    def _outcome(self) -> dict[str, Any]:
        failed, incomplete = self.status == "failed", self.status == "incomplete"
        error = {"code": self.answer.reason, "message": self.answer.error}
        return {
            "last_error": error if failed else None,
            "incomplete_details": {"reason": self._reason()} if incomplete else None,
            "usage": None if self.active or failed else self._usage(),
        }

    def _reason(self) -> str:
        cut = self.answer.reason == MAX_OUTPUT_TOKENS
        return "max_completion_tokens" if cut else self.answer.reason

    def _usage(self) -> dict[str, int]:
        cancelled = self.status == "cancelled"
        written = 0 if cancelled else self.answer.output_tokens
        return {
            "prompt_tokens": self.answer.input_tokens,
            "completion_tokens": written,
            "total_tokens": self.answer.input_tokens + written,
        }

    def _repeated(self) -> dict[str, Any]:
        body = self.body
        wanted = body.response_format
        return {
            "instructions": body.instructions or "",
            "max_completion_tokens": body.max_completion_tokens,
            "max_prompt_tokens": body.max_prompt_tokens,
            "metadata": body.metadata or {},
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "reasoning_effort": body.reasoning_effort,
            "response_format": wanted.model_dump(by_alias=True, exclude_none=True)
            if wanted
            else "auto",
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "top_p": 1.0 if body.top_p is None else body.top_p,
        }


def begun(
    thread_id: str,
    body: RunBody,
    answer: Answer,
    *,
    model: str,
    settings: OpenAISettings,
    extra_seconds: float,
) -> Run:
    """A run that begins now.

    Args:
        thread_id: Its thread.
        body: The request.
        answer: What it will come to.
        model: The model that answers.
        settings: How long runs take.
        extra_seconds: How much longer this one takes.
    """
    now = time.time()
    return Run(
        id=new_id("run"),
        thread_id=thread_id,
        model=model,
        body=body,
        answer=answer,
        created=now,
        polls_left=settings.run_polls,
        ends_at=now + settings.run_seconds + extra_seconds,
    )
