"""The operator: decides what no worker may decide, by what the vendor's console shows.

A conversation that ended `send_unknown` waits for a person. The proof plays that person truthfully
and late enough: the sender's request is no longer in flight, and the vendor lists what it accepted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_src.core.contract import REJECTED_BY_OPERATOR, OpenWork, Status, Step
from lambda_src.core.drafts.rebuild import first_asked_at, rebuild_context
from lambda_src.core.ledger import (
    Failure,
    HeldDraft,
    LedgerRecord,
    SentRecord,
)
from lambda_src.core.models import Answer, AssistantDefinition, RecordKey
from lambda_src.services.dynamodb.updates import Retention
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.twilio_service import TEXT_RULES
from lambda_src.utils.assistant_definitions import AssistantFiles
from ops.approvals import DraftRequest, Review, is_held
from ops.audit import AuditContext
from ops.conversations import ConversationRecord, ConversationRepository, release
from ops.dlq.inspection import Inspection
from ops.dlq.policy import RedriveDecision, redrive_decision
from tests.faults.rules import Evidence, Location
from tests.support import contexts
from tests.support.fake_ledger import FakeLedgerStore, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


DECISIONS = ("approve", "edit", "edit_badly", "reject")
"""What operators decide; a bad edit fails the checks, and its problems are accepted."""
EDITED = "This is a better text: when may we call?"
EDITED_BADLY = "We have £99.50 for you: when may we call?"


class Decision(StrEnum):
    RECORDED = "the sid was recorded"
    RELEASED = "released to be sent"


class Operator:
    """Decides open sends, and counts its decisions, and the releases of each conversation.

    A subclass reads the conversations table, records a sid while `sending` or `send_unknown`, and
    makes a record `retry` at a time, without intent and failure.
    """

    read: Callable[[RecordKey], LedgerRecord | None]
    record_sent: Callable[[RecordKey, SentRecord], None]
    release: Callable[[LedgerRecord, float], None]

    def __init__(self) -> None:
        self.decisions: Counter[Decision] = Counter()
        self.releases: Counter[RecordKey] = Counter()

    def decide(self, key: RecordKey, sid: str, now: float) -> Decision | None:
        """Decide on a conversation that ended `send_unknown`; return None if it has not.

        `sid` is the message that the vendor has of it, empty if it has none; `now` is in epoch
        seconds. After `RELEASED` the dead-letter message must be redriven.
        """
        seen = self.read(key)
        if seen is None or seen.status is not Status.SEND_UNKNOWN:
            return None
        decision = Decision.RECORDED if sid else Decision.RELEASED
        self.decisions[decision] += 1
        if not sid:
            self.release(seen, now)
            self.releases[key] += 1
        elif seen.answer and seen.intent:
            duration = round(max(0.0, seen.intent.at - seen.created_at) * 1000)
            self.record_sent(key, SentRecord(sid, seen.answer, seen.intent.at, now, duration))
        return decision


class OperatorAtDynamoDB(Operator):
    """Changes records by the code of the operator's own tool."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        super().__init__()
        repository = ConversationRepository(client, table_name, Retention(None))
        table = ConversationsTable(client, table_name, "by-hand", channel="whatsapp")
        self.read = lambda key: found.ledger if (found := repository.read(key)) else None
        self.record_sent = table.record_sent
        self.release = lambda seen, at: repository.apply(release(seen, at))


class OperatorInMemory(Operator):
    """Changes the fake table, which has no time of a release, and nobody else writes to."""

    def __init__(self, store: FakeLedgerStore) -> None:
        super().__init__()
        found = store.records.get
        self.read = lambda key: one.ledger_record() if (one := found(key)) else None
        self.record_sent = store.record_sent
        self.release = lambda seen, _at: store.alter(
            seen.key, status=Status.RETRY, intent=None, failure=None, lookups=0
        )


@dataclass(frozen=True)
class Approvals:
    """The operator's decisions about drafts, by the code of the operator's own tool.

    Attributes:
        store: The conversations table.
        copies: The context objects on the hand-off queue.
        definition: The assistant.
    """

    store: FakeLedgerStore
    copies: list[str]
    definition: AssistantDefinition

    def list_held(self, now: float) -> list[RecordKey]:
        """Return the conversations whose drafts wait for a decision."""
        return [key for _, key in self.store.due(OpenWork.HELD, now)]

    def read(self, key: RecordKey) -> HeldDraft | None:
        """Return the draft of a record; None if none waits."""
        record = self.store.records.get(key)
        is_held = record is not None and record.status is Status.AWAITING_APPROVAL
        return record.held if record and is_held else None

    def request(self, key: RecordKey) -> DraftRequest:
        """Return the message that a draft is for, rebuilt from its record."""
        return _draft_request(self.store.records[key].stored_attributes(), self.definition)

    def compose(self, key: RecordKey, draft: HeldDraft, decision: str) -> Answer:
        """Return the answer to approve.

        Raises:
            OperatorError: The draft can only be edited or rejected.
        """
        request = self.request(key)
        if decision == "approve":
            return request.as_it_is(draft.answer)
        text = EDITED_BADLY if decision == "edit_badly" else EDITED
        edited, _accepted_problems = request.edit(draft.answer, None, {"2": text})
        return edited

    def approve(
        self, key: RecordKey, draft: HeldDraft, answer: Answer, who: str, at: float
    ) -> None:
        """Approve an answer in place of the draft that was shown.

        Raises:
            ConditionFailed: That draft does not wait any more.
        """
        written_by = {**answer.written_by, "approved_by": who}
        self.store.approve_draft(draft, key, replace(answer, written_by=written_by), at)

    def reject(self, key: RecordKey, draft: HeldDraft, at: float) -> None:
        """Reject the draft that was shown.

        Raises:
            ConditionFailed: That draft does not wait any more.
        """
        failure = Failure(Status.FAILED, REJECTED_BY_OPERATOR, Step.HOLD, "", at)
        self.store.reject_held_draft(draft, key, failure)

    def redrive_decision(self, record: Record) -> RedriveDecision:
        """Return what a redrive does with a dead letter, if the cause is named as fixed."""
        ledger = record.ledger_record()
        content = contexts.parser(rebuild_context(record.stored_attributes()))
        message: Any = None  # not looked at
        inspection = Inspection(message, content, ConversationRecord({}, ledger))
        return redrive_decision(inspection, {ledger.failure_code})


def approve_held_draft(
    client: "DynamoDBClient", table_name: str, key: RecordKey, at: float
) -> str | None:
    """Approve a draft as it is; return the message to put on the queue, None if none waits."""
    repository = ConversationRepository(client, table_name, Retention(None))
    record = repository.read(key)
    if record is None or not is_held(record):
        return None
    review, request = Review.of(record), _draft_request(record.attributes)
    answer = request.as_it_is(review.draft.answer)
    audit = AuditContext("arn:aws:iam::123456789012:user/dana", "the amount is true", at)
    repository.apply(review.approve(answer, "whatsapp", audit))
    return request.body


def _draft_request(
    attributes: Mapping[str, Any], definition: AssistantDefinition | None = None
) -> DraftRequest:
    """Rebuild a draft's message; by default with the shipped definition that it names."""
    body = rebuild_context(attributes)
    context = contexts.parser(body)
    definition = definition or context.assistant or AssistantFiles().find(context.assistant_id)
    return DraftRequest(body, first_asked_at(attributes), context, definition, TEXT_RULES)


def should_redrive(evidence: Evidence) -> bool:
    """Return whether a dead-letter message may yet be sent: what is `failed` would fail again."""
    return Location.DEAD in evidence.locations and evidence.status != Status.FAILED
