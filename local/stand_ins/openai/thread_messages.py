"""The JSON of a thread's messages."""

import time
from typing import Any

from local.stand_ins.openai.identifiers import new_id
from local.stand_ins.openai.runs import Run
from local.stand_ins.openai.thread_bodies import ThreadMessageBody


def written_message(thread_id: str, body: ThreadMessageBody) -> dict[str, Any]:
    """A message that somebody put into a thread."""
    texts = [_text(part.text) for part in body.content]
    return _message(thread_id, body.role, texts) | {"metadata": body.metadata or {}}


def answered_message(run: Run) -> dict[str, Any]:
    """The message with which a run ended."""
    answer = run.answer
    part = {"type": "refusal", "refusal": answer.text} if answer.refused else _text(answer.text)
    message = _message(run.thread_id, "assistant", [part])
    message |= {"assistant_id": run.body.assistant_id, "run_id": run.id, "status": answer.status}
    if answer.status == "completed":
        return message | {"completed_at": int(run.ended)}
    reason = "content_filter" if answer.reason == "content_filter" else "max_tokens"
    return message | {"incomplete_at": int(run.ended), "incomplete_details": {"reason": reason}}


def _message(thread_id: str, role: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": new_id("msg"),
        "object": "thread.message",
        "created_at": int(time.time()),
        "thread_id": thread_id,
        "role": role,
        "content": content,
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
