"""Every state of a dead-letter message's conversation, and whether a redrive sends the message."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lambda_src.core.contract import REJECTED_BY_OPERATOR, HoldReason, Status, Step
from lambda_src.core.ledger import Failure, HeldDraft, Intent, Lease, SentRecord
from lambda_src.core.models import ContextObject, RecordKey
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.support.channel import TEMPLATE
from tests.support.fakes import ANSWER

HOURS_AGO = time.time() - 7200
FIXED = ("twilio_21612", "consent_not_given", REJECTED_BY_OPERATOR)
FIXED_CAUSES = tuple(text for cause in FIXED for text in ("--fixed-cause", cause))
DRAFT = "draft-1"
"""The id of the draft in the state `held`."""
Write = Callable[[ConversationsTable, ContextObject], object]
"""Brings a conversation into a state, with the runtime's own writes."""


def _acquire(table: ConversationsTable, context: ContextObject) -> Lease:
    """A worker acquired the lease and died; it expired long ago."""
    lease = Lease(context.key, "a worker", 1, HOURS_AGO + 80, HOURS_AGO)
    table.create(context, lease)
    return lease


def _fail(status: Status, code: str) -> Write:
    def write(table: ConversationsTable, context: ContextObject) -> None:
        failure = Failure(status, code, Step.SEND, "", HOURS_AGO)
        table.record_failure(_acquire(table, context), failure)

    return write


def _reject(table: ConversationsTable, context: ContextObject) -> None:
    """The context object was rejected before a lease was acquired."""
    failure = Failure(Status.FAILED, "consent_not_given", Step.PARSE, "", HOURS_AGO)
    table.record_rejection(context.key, failure, "req-0001", HOURS_AGO)


def _record_intent(table: ConversationsTable, context: ContextObject) -> None:
    table.record_intent(_acquire(table, context), Intent(HOURS_AGO, HOURS_AGO + 15), ANSWER)


def _send(table: ConversationsTable, context: ContextObject) -> None:
    """The message was sent and recorded."""
    _record_intent(table, context)
    table.record_sent(context.key, SentRecord("SM" + "0" * 32, ANSWER, HOURS_AGO, HOURS_AGO, 0))


def _lose(table: ConversationsTable, context: ContextObject) -> None:
    _record_intent(table, context)
    failure = Failure(Status.SEND_UNKNOWN, "not_found_at_vendor", Step.SETTLE, "", HOURS_AGO)
    all_records = table.related_records(RecordKey(context.key.primary_channel, ""))
    (found,) = (record for record in all_records if record.key == context.key)
    table.mark_unknown(context.key, failure, found)


def _hold(table: ConversationsTable, context: ContextObject) -> None:
    """Its draft waits for an operator."""
    draft = HeldDraft(DRAFT, ANSWER, TEMPLATE, HoldReason.CHECKS_FAILED, ("a problem",), HOURS_AGO)
    table.hold_draft(_acquire(table, context), draft)


class State(NamedTuple):
    """What writes a state, whether a redrive with `FIXED_CAUSES` sends its message, and copies."""

    write: Write
    arrives: bool
    copies: int = 1


STATES: Mapping[str, State] = {
    "untouched": State(lambda *_: None, arrives=True),
    "copied": State(lambda *_: None, arrives=True, copies=2),
    "waiting": State(_fail(Status.RETRY, "openai_500"), arrives=True),
    "lapsed": State(_acquire, arrives=True),
    "fixed": State(_fail(Status.FAILED, "twilio_21612"), arrives=True),
    "rejected": State(_reject, arrives=True),
    "sent": State(_send, arrives=False),
    "failed": State(_fail(Status.FAILED, "twilio_21211"), arrives=False),
    "unknown": State(_lose, arrives=False),
    "held": State(_hold, arrives=False),
    "declined": State(_fail(Status.FAILED, REJECTED_BY_OPERATOR), arrives=False),
}
