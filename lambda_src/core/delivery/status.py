"""The decision table of delivery events: what an event does with the record that it is about."""

from enum import Enum, auto

from lambda_src.core.contract import LOOKUP_DELAYS_SECONDS, DeliveryStatus, Metric, Status
from lambda_src.core.ledger import DeliveryRecord, DeliveryReport, DeliveryState

MAX_REPORTS = 20
"""Reports in a record's history."""
FAILURES = frozenset({DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED})
"""Statuses after which no other follows: the first one stays."""
ARRIVED = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.READ})
NOT_LOOKED_UP = ARRIVED | FAILURES
"""Statuses after which the vendor is not asked: not every recipient's client reports `read`."""

_RANKS = {
    None: -1,
    DeliveryStatus.QUEUED: 0,
    DeliveryStatus.SENT: 1,
    DeliveryStatus.DELIVERED: 2,
    DeliveryStatus.READ: 3,
    DeliveryStatus.UNDELIVERED: 4,
    DeliveryStatus.FAILED: 4,
}


class EventAction(Enum):
    """What the events worker does with a verified event."""

    DROP = auto()
    SUSPECT_SECOND_MESSAGE = auto()
    ADVANCE = auto()
    PROVE_SEND = auto()
    CONTRADICT = auto()


def event_action(record: DeliveryRecord, intent_id: str, vendor_id: str) -> EventAction:
    """Return what an event does.

    Args:
        record: The conversation's record.
        intent_id: The id of the send that the event is about.
        vendor_id: The vendor's id of the message.
    """
    if not intent_id or intent_id not in record.intent_ids:
        return EventAction.DROP
    if intent_id != record.intent_id:
        return EventAction.SUSPECT_SECOND_MESSAGE
    match record.ledger.status:
        case Status.SENT if record.ledger.vendor_id == vendor_id:
            return EventAction.ADVANCE
        case Status.SENT:
            return EventAction.SUSPECT_SECOND_MESSAGE
        case Status.SENDING | Status.SEND_UNKNOWN:
            return EventAction.PROVE_SEND
        case _:
            # What the vendor accepted is sent, whatever was concluded from its answer.
            return EventAction.CONTRADICT


def advance(state: DeliveryState, report: DeliveryReport) -> DeliveryState:
    """Return the state after a report; an equal one if the report changes nothing.

    Reports arrive in any order and repeatedly: a status never regresses, and the first failure
    stays. Its code may be reported later.
    """
    is_further = _RANKS[report.status] > _RANKS[state.status]
    is_missing_code = {state.status, report.status} <= FAILURES and not state.error_code
    is_recorded = is_known(state, report) or len(state.history) >= MAX_REPORTS
    return DeliveryState(
        status=report.status if is_further else state.status,
        error_code=report.error_code if is_further or is_missing_code else state.error_code,
        history=state.history if is_recorded else (*state.history, report),
    )


def is_known(state: DeliveryState, report: DeliveryReport) -> bool:
    """Return whether the history has a report of that status and code."""
    known = {(earlier.status, earlier.error_code) for earlier in state.history}
    return (report.status, report.error_code) in known


def next_lookup(sent_at: float, now: float) -> float | None:
    """Return when the vendor is to be asked next about a message, in epoch seconds.

    Args:
        sent_at: When the message was sent, in epoch seconds.
        now: Epoch seconds.

    Returns:
        None after the last time: no lookup is repeated forever.
    """
    times = (sent_at + delay for delay in LOOKUP_DELAYS_SECONDS)
    return next((at for at in times if at > now), None)


def reached(before: DeliveryStatus | None, after: DeliveryStatus | None) -> list[Metric]:
    """Return the metrics that a record's change of status counts in, once in its life each.

    A message that was read has arrived, although no other report may say so.
    """
    metrics = {
        Metric.MESSAGES_DELIVERED: ARRIVED,
        Metric.MESSAGES_READ: frozenset({DeliveryStatus.READ}),
        Metric.MESSAGES_UNDELIVERED: FAILURES,
    }
    return [
        metric
        for metric, statuses in metrics.items()
        if after in statuses and before not in statuses
    ]
