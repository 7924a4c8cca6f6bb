"""Messages of a channel's events queue: the vendor's reports, and requests to look a status up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from lambda_src.core.delivery.events import EventDropped, parse_address, parse_event
from lambda_src.core.models import Callback, RecordKey

if TYPE_CHECKING:
    from lambda_src.core.ports import ChannelParts


class EventKind(StrEnum):
    """What a message of the events queue is."""

    CALLBACK = "callback"
    VENDOR_EVENT = "vendor event"
    LOOKUP = "lookup"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """What a message of the events queue is about; nothing of it is verified.

    Attributes:
        kind: What it is.
        recipient: The recipient's address, empty if it names none.
        conversation_id: The conversation's id, empty if it names none.
    """

    kind: EventKind
    recipient: str = ""
    conversation_id: str = ""

    @property
    def key(self) -> RecordKey | None:
        """The conversation's key; None if the message does not name both of its parts."""
        is_named = self.recipient and self.conversation_id
        return RecordKey(self.recipient, self.conversation_id) if is_named else None

    @classmethod
    def parse(cls, body: str, channel: str, parts: ChannelParts) -> Self:
        """Parse a body.

        Args:
            body: The message's body.
            channel: The channel's name.
            parts: Read the vendor's reports.
        """
        try:
            found = parse_event(body)
        except EventDropped:
            return cls(EventKind.UNREADABLE)
        if isinstance(found, RecordKey):
            return cls(EventKind.LOOKUP, found.primary_channel, found.conversation_id)
        if isinstance(found, Callback):
            report = parts.callbacks.read(found) if parts.callbacks else None
            if report is None:
                return cls(EventKind.UNREADABLE)
            try:
                conversation_id = parse_address(found.url, channel).conversation_id
            except EventDropped:
                conversation_id = ""
            return cls(EventKind.CALLBACK, report.recipient, conversation_id)
        read = parts.vendor_events.read(found) if parts.vendor_events else None
        if read is None:
            return cls(EventKind.UNREADABLE)
        return cls(EventKind.VENDOR_EVENT, read.event.recipient, read.conversation_id)
