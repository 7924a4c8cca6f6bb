"""The queue and its dead letters in memory, on SQS's terms for a standard queue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from tests.faults.rules import Place

VISIBILITY = 900.0
"""Seconds that the queue hides a message which nobody keeps; the first beat shrinks them."""
KEPT = 90.0
"""Seconds that each beat grants."""


@dataclass
class QueueMessage:
    """One message; `handle` is its latest delivery's, `receives` counts them."""

    number: int
    key: RecordKey
    body: str
    visible_at: float
    receives: int = 0
    handle: str = ""
    is_deleted: bool = False
    is_dead: bool = False

    @property
    def message_id(self) -> str:
        """SQS's id of it."""
        return f"message-{self.number}"

    @property
    def is_on_queue(self) -> bool:
        """Whether it is on the queue or in flight."""
        return not (self.is_deleted or self.is_dead)


class Sqs:
    """One queue and its dead-letter queue; implements `Queue`, and `extend` for heartbeats.

    Args:
        now: The queue's clock.

    Attributes:
        max_receives: Receives after which a message becomes a dead letter.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.messages: list[QueueMessage] = []
        self.max_receives = 10
        self._now = now
        self._arrived = 0
        self._by_handle: dict[str, QueueMessage] = {}

    def put(self, key: RecordKey, body: str) -> QueueMessage:
        """A message arrives."""
        self._arrived += 1
        message = QueueMessage(self._arrived, key, body, self._now())
        self.messages.append(message)
        return message

    @property
    def on_queue(self) -> list[QueueMessage]:
        """The messages on the queue or in flight, the next to be visible first."""
        return sorted((m for m in self.messages if m.is_on_queue), key=lambda m: m.visible_at)

    @property
    def visible(self) -> list[QueueMessage]:
        """The messages that a receive may give, the one that waited longest first."""
        return [m for m in self.on_queue if m.visible_at <= self._now()]

    @property
    def dead(self) -> list[QueueMessage]:
        """The dead letters."""
        return [m for m in self.messages if m.is_dead]

    def receive(self, message: QueueMessage) -> bool:
        """Deliver a message; False if it became a dead letter instead, its receives used up."""
        if message.receives >= self.max_receives:
            message.is_dead = True
            return False
        message.is_deleted = False
        message.receives += 1
        message.handle = f"{message.message_id}/{len(self._by_handle)}"
        message.visible_at = self._now() + VISIBILITY
        self._by_handle[message.handle] = message
        return True

    def delete(self, handle: str) -> None:
        """Delete a message, even by the handle of an earlier delivery: so SQS may do."""
        message = self._by_handle[handle]
        if not message.is_dead:
            message.is_deleted = True

    def redrive(self, message: QueueMessage) -> None:
        """Move a dead letter back, as a new message."""
        self.messages.remove(message)
        self.put(message.key, message.body)

    def place(self, message: QueueMessage) -> Place:
        """Where a message is."""
        if message.is_dead:
            return Place.DEAD
        if message.is_deleted:
            return Place.DELETED
        return Place.ON_QUEUE if message.visible_at <= self._now() else Place.IN_FLIGHT

    def extend(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """Keep messages invisible; the ids of those whose handle is good no more."""
        kept = {m for m, handle in receipt_handles.items() if self._hide(handle, KEPT)}
        return frozenset(receipt_handles) - kept

    def show_again(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible again."""
        for handle, delay in seconds.items():
            self._hide(handle, delay)

    def max_receive_count(self) -> int:
        """How many receives the queue allows."""
        return self.max_receives

    def _hide(self, handle: str, seconds: float) -> bool:
        message = self._by_handle[handle]
        if message.handle != handle or not message.is_on_queue:
            return False
        message.visible_at = self._now() + seconds
        return True
