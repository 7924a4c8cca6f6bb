"""Conversations: https://developers.openai.com/api/reference/resources/conversations."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.stand_ins.openai.bodies import ConversationBody, InputMessage
from local.stand_ins.openai.errors import OpenAIError, not_found
from local.stand_ins.openai.identifiers import new_id


@dataclass(slots=True)
class Conversation:
    """A conversation and its items, oldest first.

    Attributes:
        id: Its identifier.
        created: Seconds since the epoch.
        metadata: What its creator noted.
        items: Its items, as OpenAI shows them.
        busy: Whether a response is being made within it.
    """

    id: str
    created: int
    metadata: dict[str, str]
    items: list[dict[str, Any]] = field(default_factory=list)
    busy: bool = False

    def resource(self) -> dict[str, Any]:
        """The JSON of the conversation."""
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created,
            "metadata": self.metadata,
        }

    def texts(self) -> list[str]:
        """The texts of all its items, newest first."""
        return [part.get("text", "") for item in reversed(self.items) for part in item["content"]]


class ConversationStore:
    """All conversations; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._conversations: dict[str, Conversation] = {}

    def create(self, body: ConversationBody) -> Conversation:
        """Begin a conversation."""
        conversation = Conversation(new_id("conv"), int(time.time()), body.metadata or {})
        conversation.items.extend(map(input_item, body.items or []))
        with self._lock:
            self._conversations[conversation.id] = conversation
        return conversation

    def get(self, id_: str) -> Conversation:
        """The conversation with this id.

        Raises:
            OpenAIError: There is none.
        """
        with self._lock:
            found = self._conversations.get(id_)
        if found is None:
            raise not_found(f"Conversation with id '{id_}' not found.")
        return found

    @contextmanager
    def occupied(self, conversation: Conversation | None) -> Iterator[None]:
        """Keep a conversation to oneself; without one, nothing is kept.

        Raises:
            OpenAIError: Somebody else is at it.
        """
        if conversation is None:
            yield
            return
        with self._lock:
            if conversation.busy:
                raise OpenAIError("conversation_locked")
            conversation.busy = True
        try:
            yield
        finally:
            with self._lock:
                conversation.busy = False

    def add(self, conversation: Conversation, items: Sequence[dict[str, Any]]) -> None:
        """Put items at the end of a conversation."""
        with self._lock:
            conversation.items.extend(items)

    def items(self, id_: str) -> list[dict[str, Any]]:
        """The items of a conversation, oldest first.

        Raises:
            OpenAIError: There is no such conversation.
        """
        conversation = self.get(id_)
        with self._lock:
            return list(conversation.items)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._conversations.clear()

    def state(self) -> list[dict[str, Any]]:
        """All conversations with their items."""
        with self._lock:
            return [
                {**conversation.resource(), "items": list(conversation.items)}
                for conversation in self._conversations.values()
            ]


def input_item(message: InputMessage) -> dict[str, Any]:
    """The JSON of an item that came in."""
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": message.role,
        "status": "completed",
        "content": [part.model_dump() for part in message.content],
    }
