"""What a caller of the fake table hears when it goes wrong."""

from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure, Step
from tests.unit.fakes.faults import Fault, Unforeseen

STEPS = {
    "create": Step.CLAIM,
    "take_over": Step.CLAIM,
    "renew": Step.CLAIM,
    "store_answer": Step.AI,
    "begin_send": Step.SEND,
    "record_sent": Step.RECORD,
    "record_failure": Step.RECORD,
    "record_rejection": Step.RECORD,
    "turn_away": Step.RECORD,
    "count_look": Step.SETTLE,
    "declare_unknown": Step.SETTLE,
    "others": Step.SETTLE,
}
"""The step that a call's failure names."""


def go_wrong(call: str, fault: Fault | None) -> None:
    """Raise what the call of that name raises for that fault, if any."""
    match fault:
        case Fault.UNAVAILABLE | Fault.ANSWER_LOST:
            raise LedgerUnavailable("ledger_unavailable", STEPS[call])
        case Fault.REFUSED:
            raise LedgerRefused("ledger_refused", STEPS[call])
        case Fault.TOO_LARGE:
            raise PermanentFailure("record_too_large", STEPS[call])
        case Fault.UNFORESEEN:
            raise Unforeseen
