"""Which actions are allowed on a dead-letter message: pure rules, without side effects.

The rules never send a message again that may have been sent.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from lambda_src.core import REJECTED_BY_OPERATOR, ContextObject, LedgerRecord, Status
from ops.delivery_events import QueuedEvent
from ops.dlq.inspection import Inspection


class RedriveDecision(StrEnum):
    """What a redrive does with a message, or why the message stays."""

    REDRIVE = "redrive"
    RELEASE = "release and redrive"
    REMOVE = "remove: already sent"
    HELD = "remove: its draft waits for approval"
    REJECTED_BY_OPERATOR = "stays: an operator rejected its draft"
    EVENT = "redrive the event"
    FAILED = "stays: failed, and its cause is not named as fixed"
    REJECTED = "stays: its body is rejected"
    UNKNOWN = "stays: the outcome of its send is unknown"
    UNRECOGNIZED = "stays: its record has a foreign status"
    ERASED = "stays: its recipient was erased since"

    @property
    def acts(self) -> bool:
        """Whether anything is done."""
        return self in {
            RedriveDecision.REDRIVE,
            RedriveDecision.RELEASE,
            RedriveDecision.REMOVE,
            RedriveDecision.HELD,
            RedriveDecision.EVENT,
        }

    @property
    def advice(self) -> str:
        """What the operator should do about such a message."""
        return _ADVICE[self]


_ADVICE = {
    RedriveDecision.REDRIVE: "once the cause has passed: dlq redrive",
    RedriveDecision.RELEASE: "dlq redrive",
    RedriveDecision.REMOVE: "dlq redrive, which only removes it",
    RedriveDecision.HELD: "approvals show CONVERSATION; dlq redrive only removes the message",
    RedriveDecision.REJECTED_BY_OPERATOR: "dlq drop",
    RedriveDecision.EVENT: "fix the cause (docs/runbook.md#eventsdeadletters), then"
    " dlq redrive --events",
    RedriveDecision.FAILED: "fix the cause, then dlq redrive --fixed-cause CAUSE; or dlq drop",
    RedriveDecision.REJECTED: "report it to the router's owners, then dlq drop",
    RedriveDecision.UNKNOWN: "unknown resolve CONVERSATION",
    RedriveDecision.UNRECOGNIZED: "conversation show CONVERSATION: find out what wrote that record",
    RedriveDecision.ERASED: "dlq drop",
}


_MAY_BE_SENT: Mapping[Status | None, RedriveDecision] = {
    Status.SENT: RedriveDecision.REMOVE,
    Status.SEND_UNKNOWN: RedriveDecision.UNKNOWN,
    Status.AWAITING_APPROVAL: RedriveDecision.HELD,
}


def redrive_decision(inspection: Inspection, fixed_causes: Collection[str] = ()) -> RedriveDecision:
    """Decide what a redrive does with a message, unless its recipient was erased.

    Args:
        inspection: The message with its current record.
        fixed_causes: Failure codes whose cause is fixed: only conversations that failed with one
            of them are released.
    """
    if isinstance(inspection.content, QueuedEvent):
        return RedriveDecision.EVENT  # a status never regresses, whatever the record
    if inspection.record and not inspection.ledger:
        return RedriveDecision.UNRECOGNIZED
    status = inspection.ledger.status if inspection.ledger else None
    if status in _MAY_BE_SENT:
        return _MAY_BE_SENT[status]
    if not isinstance(inspection.content, ContextObject):
        return RedriveDecision.REJECTED
    if status is Status.FAILED:
        return _redrive_failed(inspection.cause, fixed_causes)
    return RedriveDecision.REDRIVE


def _redrive_failed(cause: str, fixed_causes: Collection[str]) -> RedriveDecision:
    if cause == REJECTED_BY_OPERATOR:
        return RedriveDecision.REJECTED_BY_OPERATOR
    return RedriveDecision.RELEASE if cause in fixed_causes else RedriveDecision.FAILED


class DiscardDecision(StrEnum):
    """How a message is discarded, or why it must stay."""

    CLOSE = "close the conversation as failed"
    ANNOTATE = "add an audit entry to its record"
    UNREADABLE = "record it under the message's own id"
    EVENT = "delete the event"
    BUSY = "stays: a worker is processing it"
    UNKNOWN = "stays: the outcome of its send is unknown"

    @property
    def acts(self) -> bool:
        """Whether the message is removed."""
        return self in {
            DiscardDecision.CLOSE,
            DiscardDecision.ANNOTATE,
            DiscardDecision.UNREADABLE,
            DiscardDecision.EVENT,
        }


def discard_decision(inspection: Inspection, now: float) -> DiscardDecision:
    """Decide how a message may be discarded: its record must say why it was never sent.

    Args:
        inspection: The message with its current record.
        now: Epoch seconds.
    """
    if isinstance(inspection.content, QueuedEvent):
        return DiscardDecision.EVENT
    if inspection.key is None:
        return DiscardDecision.UNREADABLE
    if inspection.ledger:
        return _discard_by_status(inspection.ledger, now)
    return DiscardDecision.ANNOTATE if inspection.record else DiscardDecision.CLOSE


def _discard_by_status(ledger: LedgerRecord, now: float) -> DiscardDecision:
    match ledger.status:
        case Status.SENDING | Status.SEND_UNKNOWN:
            return DiscardDecision.UNKNOWN
        case Status.PROCESSING if ledger.lease_expires_at > now:
            return DiscardDecision.BUSY
        case Status.PROCESSING | Status.RETRY:
            return DiscardDecision.CLOSE
        case Status.SENT | Status.FAILED | Status.AWAITING_APPROVAL:
            return DiscardDecision.ANNOTATE
