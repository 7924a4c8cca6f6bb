"""Redrive and discard dead-letter messages: the writes that follow from the policy's decisions.

The message leaves the dead-letter queue last, so both actions can be interrupted and repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core import ConditionFailed, ContextObject, Failure, RecordKey, Status, Step
from ops.conversations import annotate, close, release
from ops.dlq.policy import (
    DiscardDecision,
    RedriveDecision,
    discard_decision,
    redrive_decision,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ops.audit import AuditContext
    from ops.conversations import ConversationRepository
    from ops.dlq.inspection import Filter, Inspection
    from ops.dlq.runner import RateLimiter
    from ops.queues import ChannelQueue, QueueScanner
    from ops.suppressions import Suppressions

REDRIVEN_CODE = "redriven_by_operator"
"""Failure code of a record created by a redrive, until a worker takes the conversation over."""
DISCARDED_CODE = "dropped_by_operator"
"""Failure code of a conversation that an operator gave up."""
UNKNOWN_RECIPIENT = "dead-letter"
"""`primary_channel` of the record of a discarded message without a readable recipient."""

REDRIVE_ENTRIES = {
    RedriveDecision.REDRIVE: "dead letter redriven",
    RedriveDecision.RELEASE: "released to retry and dead letter redriven",
    RedriveDecision.REMOVE: "dead letter removed: the message was sent before",
    RedriveDecision.HELD: "dead letter removed: the draft waits for approval",
    RedriveDecision.EVENT: "delivery event redriven",
}


@dataclass(frozen=True)
class Redrive:
    """Sends messages back to the channel's queue, with an audit entry in their records.

    A second copy on the queue is harmless, because the ledger decides about each delivery.

    Attributes:
        filter: The messages to redrive.
        fixed_causes: Failure codes whose cause is fixed.
        scanner: The dead-letter queue.
        queue: The channel's queue.
        conversations: The conversations table.
        limiter: Limits the rate of messages, and so of requests to the vendors.
        audit: Who redrives, and why.
    """

    filter: Filter
    fixed_causes: Collection[str]
    scanner: QueueScanner
    queue: ChannelQueue
    conversations: ConversationRepository
    limiter: RateLimiter
    audit: AuditContext

    @property
    def criteria(self) -> Mapping[str, Collection[str]]:
        """The values that the operator named, by their options."""
        return {**self.filter.criteria, "--fixed-cause": self.fixed_causes}

    def decide(self, inspection: Inspection) -> RedriveDecision | None:
        """Return what to do with a message; None if it is not selected."""
        if inspection not in self.filter:
            return None
        return redrive_decision(inspection, self.fixed_causes)

    def apply(self, inspection: Inspection, decision: RedriveDecision) -> None:
        """Write the record, send the message to the queue, then delete the dead-letter message."""
        is_redriven = decision not in {RedriveDecision.REMOVE, RedriveDecision.HELD}
        if is_redriven:
            self.limiter.acquire()
        self._write_record(inspection, decision)
        if is_redriven:
            is_event = decision is RedriveDecision.EVENT
            asked_at = None if is_event else round(inspection.asked_at * 1000)
            self.queue.send(inspection.message.body, inspection.company_id, asked_at)
        self.scanner.delete(inspection.message)

    def _write_record(self, inspection: Inspection, decision: RedriveDecision) -> None:
        entry = self.audit.entry(REDRIVE_ENTRIES[decision])
        if decision is RedriveDecision.RELEASE:
            self._release(inspection, entry)
        elif inspection.key and inspection.record:
            self._annotate(inspection.key, entry)
        elif isinstance(inspection.content, ContextObject):
            self._create(inspection.content, entry)

    def _release(self, inspection: Inspection, entry: dict[str, str]) -> None:
        record, context, at = inspection.record, inspection.content, self.audit.at
        if record is None or record.ledger is None or not isinstance(context, ContextObject):
            raise AssertionError("only a record that is failed can be released")
        if record.ledger.owner:
            self.conversations.apply(release(record.ledger, at), entry)
        else:  # rejected before a lease was acquired, so the record lacks the context's attributes
            self.conversations.release_rejected(context, record, at, entry)

    def _create(self, context: ContextObject, entry: dict[str, str]) -> None:
        detail = "no worker had acquired it; operator_actions says who redrove it"
        failure = Failure(Status.RETRY, REDRIVEN_CODE, Step.CLAIM, detail, self.audit.at)
        try:
            self.conversations.create_retry(context, failure, entry)
        except ConditionFailed:  # a copy of the message was redriven first
            self._annotate(context.key, entry)

    def _annotate(self, key: RecordKey, entry: dict[str, str]) -> None:
        self.conversations.apply(annotate(key, self.audit.at), entry)


@dataclass(frozen=True)
class Discard:
    """Discards messages for good, after their records say so.

    Attributes:
        filter: The messages to discard.
        scanner: The dead-letter queue.
        conversations: The conversations table.
        suppressions: Has the erased recipients, who must not be stored again.
        audit: Who discards, and why.
    """

    filter: Filter
    scanner: QueueScanner
    conversations: ConversationRepository
    suppressions: Suppressions
    audit: AuditContext

    @property
    def criteria(self) -> Mapping[str, Collection[str]]:
        """The values that the operator named, by their options."""
        return self.filter.criteria

    def decide(self, inspection: Inspection) -> DiscardDecision | None:
        """Return what to do with a message; None if it is not selected."""
        return discard_decision(inspection, self.audit.at) if inspection in self.filter else None

    def apply(self, inspection: Inspection, decision: DiscardDecision) -> None:
        """Write the record, then delete the message."""
        is_event = decision is DiscardDecision.EVENT
        entry = self.audit.entry(f"{'delivery event' if is_event else 'dead letter'} dropped")
        if inspection.ledger and decision is DiscardDecision.CLOSE:
            self.conversations.apply(close(inspection.ledger, self._failure()), entry)
        elif inspection.key and inspection.record:
            self.conversations.apply(annotate(inspection.key, self.audit.at), entry)
        elif not is_event:
            self._create(inspection, entry)
        self.scanner.delete(inspection.message)

    def _create(self, inspection: Inspection, entry: dict[str, str]) -> None:
        key, message = inspection.key, inspection.message
        if key and self.suppressions.was_erased(key.primary_channel, inspection.asked_at):
            key = None
        try:
            self.conversations.create_failed(
                key or RecordKey(UNKNOWN_RECIPIENT, message.message_id), self._failure(), entry
            )
        except ConditionFailed:
            if key:
                raise
            # An interrupted discard of this message has written the record already.

    def _failure(self) -> Failure:
        detail = "given up by an operator; operator_actions says by whom and why"
        return Failure(Status.FAILED, DISCARDED_CODE, Step.RECORD, detail, self.audit.at)
