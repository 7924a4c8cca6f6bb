"""The rules about dead-letter messages: what a redrive and a discard may do with each."""

from dataclasses import dataclass

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import RejectedContext
from ops.conversations import ConversationRecord
from ops.dlq.inspection import Inspection
from ops.dlq.policy import (
    DiscardDecision,
    RedriveDecision,
    discard_decision,
    redrive_decision,
)
from ops.queues import QueueMessage
from tests.support import contexts
from tests.support.clock import START
from tests.support.records import ledger_record

FIXED = ("twilio_21606", "not_found_at_vendor", "body_not_json")


@dataclass(frozen=True)
class Case:
    """A conversation's state; the decisions are about its dead-letter message.

    Attributes:
        redrive: The decision, with `FIXED` as fixed causes.
        discard: The decision.
        status: The record's status; None if there is no record, empty if it is foreign.
        code: The record's failure code.
        lease_expires_at: The record's lease in epoch seconds.
        is_valid: Whether the body is accepted.
    """

    redrive: RedriveDecision
    discard: DiscardDecision
    status: str | None
    code: str = ""
    lease_expires_at: float = START
    is_valid: bool = True

    def inspection(self) -> Inspection:
        """Return the message with its record."""
        context = contexts.parse(contexts.valid())
        rejected = RejectedContext("body_not_json", [], key=context.key)
        ledger = (
            ledger_record(
                status=Status(self.status),
                failure_code=self.code,
                lease_expires_at=self.lease_expires_at,
            )
            if self.status
            else None
        )
        record = ConversationRecord({"conversation_status": "archived"}, ledger)
        message = QueueMessage("id", "handle", "", "", START)
        content = context if self.is_valid else rejected
        return Inspection(message, content, None if self.status is None else record)


R, D = RedriveDecision, DiscardDecision
CASES = (
    Case(R.REDRIVE, D.CLOSE, None),
    Case(R.REJECTED, D.CLOSE, None, is_valid=False),
    Case(R.REDRIVE, D.BUSY, Status.PROCESSING, lease_expires_at=START + 1),
    Case(R.REDRIVE, D.CLOSE, Status.PROCESSING),
    Case(R.REDRIVE, D.UNKNOWN, Status.SENDING),
    Case(R.REDRIVE, D.CLOSE, Status.RETRY, "openai_500"),
    Case(R.REMOVE, D.ANNOTATE, Status.SENT),
    Case(R.FAILED, D.ANNOTATE, Status.FAILED, "twilio_21211"),
    Case(R.RELEASE, D.ANNOTATE, Status.FAILED, "twilio_21606"),
    Case(R.REJECTED, D.ANNOTATE, Status.FAILED, "body_not_json", is_valid=False),
    Case(R.UNKNOWN, D.UNKNOWN, Status.SEND_UNKNOWN, "not_found_at_vendor"),
    Case(R.UNRECOGNIZED, D.ANNOTATE, ""),
)


@pytest.mark.parametrize("case", CASES)
def test_the_record_decides(case: Case) -> None:
    """What may have been sent is neither sent again nor discarded, whatever is named as fixed."""
    inspection = case.inspection()
    assert (case.redrive, case.discard) == (
        redrive_decision(inspection, FIXED),
        discard_decision(inspection, START),
    )
    assert case.redrive.acts != str(case.redrive).startswith("stays")
    assert case.discard.acts != str(case.discard).startswith("stays")
    assert case.redrive.advice
