"""The transition table: what a delivery may do with a record that it finds."""

from enum import Enum, auto

from lambda_src.core.contract import Status
from lambda_src.core.ledger.records import LedgerRecord


class NextAction(Enum):
    """What a delivery does with a conversation that already has a record."""

    RESUME = auto()
    TAKE_OVER = auto()
    BACK_OFF = auto()
    RECONCILE = auto()
    ACKNOWLEDGE = auto()
    HAND_OFF = auto()
    REJECT = auto()


def next_action(  # noqa: C901, PLR0911 - a table, one row a return
    record: LedgerRecord, owner: str, now: float
) -> NextAction:
    """Return what the delivery `owner` does with a record that it finds at `now`."""
    match record.status:
        case Status.SENT:
            return NextAction.ACKNOWLEDGE
        case Status.FAILED | Status.SEND_UNKNOWN:
            return NextAction.REJECT
        case Status.SENDING:
            return NextAction.RECONCILE
        case Status.AWAITING_APPROVAL:
            return NextAction.HAND_OFF
        case Status.RETRY:
            return NextAction.TAKE_OVER
        case Status.PROCESSING if record.owner == owner:
            return NextAction.RESUME
        case Status.PROCESSING if record.lease_expires_at <= now:
            return NextAction.TAKE_OVER
        case Status.PROCESSING:
            return NextAction.BACK_OFF
