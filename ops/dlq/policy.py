"""Which actions are allowed on a dead-letter message: pure rules, without side effects.

The rules never send a message again that may have been sent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambda_src.core import REJECTED_BY_OPERATOR, ContextObject, LedgerRecord, Status
from ops.delivery_events import QueuedEvent
from ops.dlq.inspection import Inspection
from ops.suppressions import Restriction

SELECTION = "SELECTION"
"""In a command of an advice: the options that select the messages that it is about."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the operator should do about messages.

    Attributes:
        text: What to do.
        commands: The words of the commands that do it. `SELECTION` is replaced by options;
            `{cause}` and `{conversation}` by values of the messages.
    """

    text: str
    commands: tuple[tuple[str, ...], ...]


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
    SUPPRESSED = "stays: its recipient opted out, so that it would be refused"

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
    def is_retry(self) -> bool:
        """Whether the conversation is processed again, which asks the vendors."""
        return self in {RedriveDecision.REDRIVE, RedriveDecision.RELEASE}

    @property
    def advice(self) -> Advice:
        """What the operator should do about such a message."""
        return _ADVICE[self]


# A redrive decides about each message with the cause; a discard must name the right ones.
_REDRIVE = ("dlq", "redrive", "--cause", "{cause}")
_DROP = ("dlq", "drop", SELECTION, "--reason")
_ADVICE = {
    RedriveDecision.REDRIVE: Advice("redrive them once the cause has passed", (_REDRIVE,)),
    RedriveDecision.RELEASE: Advice("redrive them", (_REDRIVE,)),
    RedriveDecision.REMOVE: Advice("they were sent: a redrive only removes them", (_REDRIVE,)),
    RedriveDecision.HELD: Advice(
        "decide about their drafts; a redrive only removes the messages",
        (("approvals", "list"), _REDRIVE),
    ),
    RedriveDecision.REJECTED_BY_OPERATOR: Advice(
        "drop them: an operator rejected their drafts", ((*_DROP, "the draft was rejected"),)
    ),
    RedriveDecision.EVENT: Advice(
        "fix the cause (docs/runbook.md#eventsdeadletters), then redrive them",
        ((*_REDRIVE, "--events"),),
    ),
    RedriveDecision.FAILED: Advice(
        "fix the cause, then redrive them; or drop them",
        ((*_REDRIVE, "--fixed-cause", "{cause}"), (*_DROP, "given up: {cause}")),
    ),
    RedriveDecision.REJECTED: Advice(
        "report them to the router's owners, then drop them", ((*_DROP, "rejected: {cause}"),)
    ),
    RedriveDecision.UNKNOWN: Advice("find out whether they were sent", (("unknown", "list"),)),
    RedriveDecision.UNRECOGNIZED: Advice(
        "find out what wrote their records", (("conversation", "show", "{conversation}"),)
    ),
    RedriveDecision.ERASED: Advice(
        "drop them: their recipients were erased", ((*_DROP, "the recipient was erased"),)
    ),
    RedriveDecision.SUPPRESSED: Advice(
        "drop them: their recipients opted out, and nothing is sent to them",
        ((*_DROP, "the recipient opted out"),),
    ),
}


_MAY_BE_SENT: Mapping[Status | None, RedriveDecision] = {
    Status.SENT: RedriveDecision.REMOVE,
    Status.SEND_UNKNOWN: RedriveDecision.UNKNOWN,
    Status.AWAITING_APPROVAL: RedriveDecision.HELD,
}


def redrive_decision(inspection: Inspection, fixed_causes: Collection[str] = ()) -> RedriveDecision:
    """Decide what a redrive does with a message.

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
    return _redrive_unsent(inspection, fixed_causes)


def _redrive_unsent(inspection: Inspection, fixed_causes: Collection[str]) -> RedriveDecision:
    if inspection.restriction is Restriction.ERASED and not inspection.record:
        return RedriveDecision.ERASED  # it would store data about the recipient
    if inspection.restriction is Restriction.SUPPRESSED:
        return RedriveDecision.SUPPRESSED
    if inspection.ledger is None or inspection.ledger.status is not Status.FAILED:
        return RedriveDecision.REDRIVE
    if inspection.cause == REJECTED_BY_OPERATOR:
        return RedriveDecision.REJECTED_BY_OPERATOR
    is_fixed = inspection.cause in fixed_causes
    return RedriveDecision.RELEASE if is_fixed else RedriveDecision.FAILED


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

    @property
    def is_retry(self) -> bool:
        """Whether the conversation is processed again."""
        return False


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
