"""Inspect a dead-letter message: its parsed body and its conversation's record."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lambda_src.core import ContextObject, RecordKey, RejectedContext, Status
from ops.delivery_events import QueuedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping

    from lambda_src.core import LedgerRecord
    from ops.conversations import ConversationRecord, ConversationRepository
    from ops.queues import QueueMessage, QueueScanner
    from ops.suppressions import Restriction, Suppressions

NO_RECORD = "no_record"
"""Cause of a message that no worker acquired."""
UNRECOGNIZED = "record_foreign"
"""Cause of a message whose record has a status that is not one of the ledger's."""
UNSENT = frozenset({None, Status.RETRY, Status.PROCESSING, Status.FAILED})
"""Statuses after which a delivery may send, unless the recipient is restricted; None: no record."""
WORKERS = 10


@dataclass(frozen=True, slots=True)
class Inspection:
    """A dead-letter message with everything known about it.

    Attributes:
        message: The message.
        content: The parsed context object, or why it is rejected now; or the delivery event.
        record: The conversation's record; None if there is none or the body names none.
        restriction: Why nothing is sent to the recipient; None if nothing restricts a send, or if
            the record does not let one happen anyway.
    """

    message: QueueMessage
    content: ContextObject | RejectedContext | QueuedEvent
    record: ConversationRecord | None
    restriction: Restriction | None = None

    @property
    def key(self) -> RecordKey | None:
        """The conversation's key; None if the body names none."""
        return self.content.key

    @property
    def ledger(self) -> LedgerRecord | None:
        """The ledger's view of the record."""
        return self.record.ledger if self.record else None

    @property
    def conversation_id(self) -> str:
        """The conversation's id, empty if the body names none."""
        return self.key.conversation_id if self.key else ""

    @property
    def company_id(self) -> str:
        """The tenant, empty if unknown."""
        if isinstance(self.content, ContextObject):
            return str(self.content.attributes.get("company_id", ""))
        recorded = self.record.attributes.get("company_id", "") if self.record else ""
        return str(recorded) or self.message.group

    @property
    def asked_at(self) -> float:
        """When the message was first asked for, in epoch seconds, which an erasure counts from."""
        requested = self.content.requested_at if isinstance(self.content, ContextObject) else None
        return min(self.message.asked_at, requested or self.message.asked_at)

    @property
    def status(self) -> str:
        """The record's status, empty if there is no record."""
        return self.record.status if self.record else ""

    @property
    def cause(self) -> str:
        """Why the message is in the dead-letter queue, as a stable code.

        The cause of an event is only in the log of the worker; its kind is returned instead.
        """
        if isinstance(self.content, QueuedEvent):
            return self.content.kind
        if self.record and not self.ledger:
            return UNRECOGNIZED
        if self.ledger:
            return self.ledger.failure_code or str(self.ledger.status)
        return self.content.code if isinstance(self.content, RejectedContext) else NO_RECORD


@dataclass(frozen=True, slots=True)
class Inspector:
    """Inspects dead-letter messages.

    Attributes:
        parse: Parses a body as the deployed functions do.
        conversations: The conversations table.
        suppressions: Has the recipients who opted out or were erased.
    """

    parse: Callable[[str], ContextObject | QueuedEvent]
    conversations: ConversationRepository
    suppressions: Suppressions

    def inspect(self, message: QueueMessage) -> Inspection:
        """Parse a message's body, and read its conversation's record and its recipient's state."""
        content: ContextObject | RejectedContext | QueuedEvent
        try:
            content = self.parse(message.body)
        except RejectedContext as rejected:
            content = rejected
        record = self.conversations.read(content.key) if content.key else None
        found = Inspection(message, content, record)
        status = found.ledger.status if found.ledger else None
        if not isinstance(content, ContextObject) or status not in UNSENT:
            return found
        recipient = content.key.primary_channel
        restriction = self.suppressions.restriction(recipient, found.asked_at)
        return replace(found, restriction=restriction)

    def inspect_all(self, scanner: QueueScanner) -> Generator[Inspection]:
        """Inspect every message of a queue, a batch at a time."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="inspection") as pool:
            for batch in scanner.batches():
                yield from pool.map(self.inspect, batch)


@dataclass(frozen=True)
class Filter:
    """Selects dead-letter messages; an empty criterion accepts all."""

    causes: Collection[str] = ()
    companies: Collection[str] = ()
    conversations: Collection[str] = ()
    message_ids: Collection[str] = ()

    @property
    def criteria(self) -> Mapping[str, Collection[str]]:
        """The accepted values by the options that name them."""
        return {
            "--cause": self.causes,
            "--company": self.companies,
            "--conversation": self.conversations,
            "--message": self.message_ids,
        }

    @staticmethod
    def values(inspection: Inspection) -> Mapping[str, str]:
        """Return what each option is compared with."""
        return {
            "--cause": inspection.cause,
            "--company": inspection.company_id,
            "--conversation": inspection.conversation_id,
            "--message": inspection.message.message_id,
        }

    def __contains__(self, inspection: Inspection) -> bool:
        values = self.values(inspection)
        return all(values[name] in accepted for name, accepted in self.criteria.items() if accepted)

    def __bool__(self) -> bool:
        return any(self.criteria.values())
