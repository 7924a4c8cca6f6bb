"""Models, conversations and responses.

https://developers.openai.com/api/reference/resources/responses and …/conversations
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, request

from local.fakes.openai.errors import OpenAIError
from local.fakes.openai.model import DEFAULT_EFFORT, OpenAISettings, Output, check_model, generate
from local.fakes.openai.requests import (
    ConversationBody,
    ModerationBody,
    ResponseBody,
    page,
    parse,
)
from local.fakes.server import InterruptibleWait, injected_fault

MODERATION_CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
"""Some of OpenAI's categories; a text that has one in square brackets is flagged."""


@dataclass(slots=True)
class Conversation:
    """A conversation.

    Attributes:
        resource: Its JSON.
        items: Its items as JSON, oldest first.
        lock: Held while a response is generated in it.
    """

    resource: dict[str, Any]
    items: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the conversation.

        Raises:
            OpenAIError: It is locked.
        """
        if not self.lock.acquire(blocking=False):
            raise OpenAIError("conversation_locked")
        try:
            yield
        finally:
            self.lock.release()

    def texts(self) -> list[str]:
        """Return the texts of all items, newest first."""
        messages = [item for item in reversed(self.items) if item["type"] == "message"]
        return [message["content"][0].get("text", "") for message in messages]


class ResponseRoutes:
    """The routes of models, conversations and responses, with their state.

    Args:
        models: The models that exist.
        settings: Returns the current settings.
        wait: Returns how requests wait.

    Attributes:
        limit: Number of conversations, of items of deleted ones, and of responses that are kept.
    """

    def __init__(
        self,
        models: Collection[str],
        settings: Callable[[], OpenAISettings],
        wait: Callable[[], InterruptibleWait],
    ) -> None:
        self._models = models
        self._settings = settings
        self._wait = wait
        self._lock = threading.Lock()
        self._conversations: dict[str, Conversation] = {}
        self._left_items: dict[str, dict[str, Any]] = {}
        self._stored: dict[str, None] = {}
        self.limit = math.inf

    def register(self, application: Flask) -> None:
        """Add the routes to an application."""
        application.get("/v1/models/<name>")(self._retrieve_model)
        application.post("/v1/conversations")(self._create_conversation)
        application.post("/v1/responses")(self._create_response)
        application.post("/v1/moderations")(self._moderate)
        conversation = "/v1/conversations/<id_>"
        application.delete(conversation)(self._delete_conversation)
        application.get(f"{conversation}/items")(self._list_items)
        application.delete(f"{conversation}/items/<item_id>")(self._delete_item)
        application.delete("/v1/responses/<id_>")(self._delete_response)

    def clear(self) -> None:
        """Remove all conversations and responses."""
        with self._lock:
            self._conversations.clear()
            self._left_items.clear()
            self._stored.clear()

    def state(self) -> dict[str, Any]:
        """Return conversations with items, items of deleted ones (`items`), ids of responses."""
        with self._lock:
            conversations = [
                {**conversation.resource, "items": list(conversation.items)}
                for conversation in self._conversations.values()
            ]
            left, responses = list(self._left_items.values()), sorted(self._stored)
        return {"conversations": conversations, "items": left, "responses": responses}

    def _retrieve_model(self, name: str) -> dict[str, Any]:
        check_model(name, self._models)
        fault = injected_fault(request.environ)
        end = datetime.now(UTC).date() + timedelta(int(fault.code)) if fault else None
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "system",
            "shutdown_date": end and end.isoformat(),
        }

    def _moderate(self) -> dict[str, Any]:
        body = parse(ModerationBody, request.get_data())
        if not body.model.startswith("omni-moderation"):
            raise OpenAIError("model_not_found", f"The model `{body.model}` does not exist.")
        texts = [body.input] if isinstance(body.input, str) else body.input
        return {
            "id": new_id("modr"),
            "model": body.model,
            "results": [_moderation(text) for text in texts],
        }

    def _create_conversation(self) -> dict[str, Any]:
        body = parse(ConversationBody, request.get_data())
        id_ = new_id("conv")
        resource = {
            "id": id_,
            "object": "conversation",
            "created_at": int(time.time()),
            "metadata": body.metadata or {},
        }
        with self._lock:
            self._conversations[id_] = Conversation(resource)
            self._forget(self._conversations)
        return resource

    def _delete_conversation(self, id_: str) -> dict[str, Any]:
        # OpenAI keeps the items of a deleted conversation.
        conversation = self._conversation(id_)
        with self._lock:
            for item in conversation.items:
                self._left_items[item["id"]] = item
                self._forget(self._left_items)
            self._conversations.pop(id_, None)
        return {"id": id_, "object": "conversation.deleted", "deleted": True}

    def _list_items(self, id_: str) -> dict[str, Any]:
        return page(list(self._conversation(id_).items), request.args.to_dict())

    def _delete_item(self, id_: str, item_id: str) -> dict[str, Any]:
        conversation = self._conversation(id_)
        with self._lock:
            kept = [item for item in conversation.items if item["id"] != item_id]
            if len(kept) == len(conversation.items):
                raise OpenAIError.not_found(f"Item with id '{item_id}' not found.")
            conversation.items[:] = kept
        return conversation.resource

    def _delete_response(self, id_: str) -> dict[str, Any]:
        with self._lock:
            if id_ not in self._stored:
                raise OpenAIError.not_found(f"Response with id '{id_}' not found.")
            del self._stored[id_]
        return {"id": id_, "object": "response", "deleted": True}

    def _conversation(self, id_: str) -> Conversation:
        with self._lock:
            found = self._conversations.get(id_)
        if found is None:
            raise OpenAIError.not_found(f"Conversation with id '{id_}' not found.")
        return found

    def _create_response(self) -> dict[str, Any]:
        body = parse(ResponseBody, request.get_data())
        check_model(body.model, self._models)
        body.check_sampling()
        format_ = body.text.format
        properties = format_.properties("text.format") if format_ else None
        conversation = self._conversation(body.conversation) if body.conversation else None
        with conversation.exclusive() if conversation else nullcontext():
            return self._respond(body, properties, conversation)

    def _respond(
        self,
        body: ResponseBody,
        properties: dict[str, str] | None,
        conversation: Conversation | None,
    ) -> dict[str, Any]:
        created, fault = time.time(), injected_fault(request.environ)
        self._wait().sleep(self._settings().answer_seconds + (fault.seconds if fault else 0))
        history = conversation.texts() if conversation else []
        prompt = [body.input, *history, *filter(None, [body.instructions])]
        output = generate(
            prompt,
            properties,
            body.max_output_tokens,
            fault,
            body.reasoning.effort,
            obeys_input=self._settings().obeys_input,
        )
        items = _output_items(output)
        if conversation is not None and items:
            text = {"type": "input_text", "text": body.input}
            with self._lock:
                conversation.items.extend([_item("user", "completed", text), *items])
        resource = _response_resource(body, output, items, created)
        with self._lock:
            self._stored[resource["id"]] = None
            self._forget(self._stored)
        return resource

    def _forget(self, known: dict[str, Any]) -> None:
        if len(known) > self.limit:
            del known[next(iter(known))]


def _moderation(text: str) -> dict[str, Any]:
    flagged = {name: f"[{name}]" in text for name in MODERATION_CATEGORIES}
    return {
        "flagged": any(flagged.values()),
        "categories": flagged,
        "category_scores": {name: float(is_so) for name, is_so in flagged.items()},
    }


def new_id(kind: str) -> str:
    """Return a new identifier, such as `conv_` and 48 hexadecimal digits for the kind `conv`."""
    return f"{kind}_{(uuid.uuid4().hex + uuid.uuid4().hex)[:48]}"


def _item(role: str, status: str, part: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": role,
        "status": status,
        "content": [part],
    }


def _output_items(output: Output) -> list[dict[str, Any]]:
    if output.status == "failed":
        return []
    items: list[dict[str, Any]] = []
    if output.reasoning_tokens:
        items.append({"id": new_id("rs"), "type": "reasoning", "summary": []})
    if output.commentary:
        commentary = _item("assistant", "completed", _text_part(output.commentary))
        items.append(commentary | {"phase": "commentary"})
    part = {"type": "refusal", "refusal": output.text}
    part = part if output.refused else _text_part(output.text)
    answers = [_item("assistant", output.status, part) for _ in range(output.copies)]
    phase = {"phase": "final_answer"} if output.commentary else {}
    return [*items, *(answer | phase for answer in answers)]


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response_resource(
    body: ResponseBody, output: Output, items: list[dict[str, Any]], created: float
) -> dict[str, Any]:
    failed, incomplete = output.status == "failed", output.status == "incomplete"
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(created),
        "completed_at": int(time.time()) if output.status == "completed" else None,
        "status": output.status,
        "output": items,
        "error": {"code": output.reason, "message": output.error} if failed else None,
        "incomplete_details": {"reason": output.reason} if incomplete else None,
        "usage": None if failed else _usage(output),
        **_echoed(body),
        **_DEFAULTS,
    }


def _usage(output: Output) -> dict[str, Any]:
    return {
        "input_tokens": output.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output.output_tokens,
        "output_tokens_details": {"reasoning_tokens": output.reasoning_tokens},
        "total_tokens": output.input_tokens + output.output_tokens,
    }


def _echoed(body: ResponseBody) -> dict[str, Any]:
    format_ = body.text.format
    return {
        "model": body.model,
        "instructions": body.instructions,
        "conversation": {"id": body.conversation} if body.conversation else None,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "text": {
            "format": format_.model_dump(by_alias=True, exclude_none=True)
            if format_
            else {"type": "text"},
            "verbosity": body.text.verbosity or "medium",
        },
        "reasoning": {"effort": body.reasoning.effort or DEFAULT_EFFORT, "summary": None},
        "temperature": 1.0 if body.temperature is None else body.temperature,
        "top_p": 1.0 if body.top_p is None else body.top_p,
    }


_DEFAULTS: dict[str, Any] = {
    "background": False,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "service_tier": "default",
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "truncation": "disabled",
}
