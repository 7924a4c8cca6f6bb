"""The operator: decides what no worker may decide, by what the vendor's console shows.

A conversation that ended `send_unknown` waits for a person. The proof plays that person truthfully
and late enough: the sender's request is no longer in flight, and the vendor lists what it accepted.
"""

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from lambda_src.core.contract import Status
from lambda_src.core.ledger import ConditionFailed, LedgerRecord, SentRecord
from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb.updates import NO_EXPIRY
from lambda_src.services.dynamodb_service import ConversationsTable
from ops.conversations import ConversationRepository, release
from tests.faults.rules import Evidence, Location
from tests.support.fake_ledger import FakeLedgerStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OperatorTable(Protocol):
    """The conversations table, as far as the operator uses it."""

    def read(self, key: RecordKey) -> LedgerRecord | None:
        """Return the record, None if there is none."""

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""

    def release(self, seen: LedgerRecord, at: float) -> None:
        """Make the record `retry`, without intent and failure; the answer stays.

        Raises:
            ConditionFailed: The record is no longer as seen.
        """


class Decision(StrEnum):
    """What the operator did."""

    RECORDED = "the sid was recorded"
    RELEASED = "released to be sent"
    NOTHING = "nothing was to be done"


class Operator:
    """Decides open sends.

    Attributes:
        decisions: How often each decision was made.
        releases: How often each conversation was released.
    """

    def __init__(self, table: OperatorTable) -> None:
        self._table = table
        self.decisions: Counter[Decision] = Counter()
        self.releases: Counter[RecordKey] = Counter()

    def decide(self, key: RecordKey, sid: str, now: float) -> Decision:
        """Decide on a conversation that ended `send_unknown`.

        Args:
            key: The record to decide on.
            sid: The message that the vendor has of this conversation, empty if it has none.
            now: Epoch seconds.

        Returns:
            What was done. After `RELEASED` the dead-letter message must be redriven.
        """
        seen = self._table.read(key)
        if seen is None or seen.status is not Status.SEND_UNKNOWN:
            return self._decided(Decision.NOTHING, key)
        if not sid:
            self._table.release(seen, now)
            return self._decided(Decision.RELEASED, key)
        if seen.answer is None or seen.intent is None:
            raise AssertionError("an intent was recorded without its answer or its time")
        duration = round(max(0.0, seen.intent.at - seen.created_at) * 1000)
        self._table.record_sent(key, SentRecord(sid, seen.answer, seen.intent.at, now, duration))
        return self._decided(Decision.RECORDED, key)

    def release_failed(self, key: RecordKey, now: float) -> Decision:
        """Release a conversation that ended `failed`, once the cause has been fixed."""
        seen = self._table.read(key)
        if seen is None or seen.status is not Status.FAILED:
            return Decision.NOTHING
        self._table.release(seen, now)
        return Decision.RELEASED

    def _decided(self, decision: Decision, key: RecordKey) -> Decision:
        self.decisions[decision] += 1
        if decision is Decision.RELEASED:
            self.releases[key] += 1
        return decision


def should_redrive(evidence: Evidence) -> bool:
    """Return whether a dead-letter message may yet be sent: what is `failed` would fail again."""
    return Location.DEAD in evidence.locations and evidence.status != Status.FAILED


class DynamoDBOperatorTable:
    """The table in DynamoDB, changed by the code of the operator's own tool."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._repository = ConversationRepository(client, table_name, NO_EXPIRY)
        self._conversations = ConversationsTable(client, table_name, "by-hand", channel="whatsapp")

    def read(self, key: RecordKey) -> LedgerRecord | None:
        """Return the record, None if there is none."""
        record = self._repository.read(key)
        return record.ledger if record else None

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""
        self._conversations.record_sent(key, sent)

    def release(self, seen: LedgerRecord, at: float) -> None:
        """Make the record `retry`, while it is still as seen."""
        self._repository.apply(release(seen, at))


class InMemoryOperatorTable:
    """The table in memory."""

    def __init__(self, table: FakeLedgerStore) -> None:
        self._table = table

    def read(self, key: RecordKey) -> LedgerRecord | None:
        """Return the record, None if there is none."""
        record = self._table.records.get(key)
        return record.ledger_record() if record else None

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""
        self._table.record_sent(key, sent)

    def release(self, seen: LedgerRecord, at: float) -> None:  # noqa: ARG002 - the fake has no such time
        """Make the record `retry`, while it is still as seen."""
        if self.read(seen.key) != seen:
            raise ConditionFailed(self.read(seen.key))
        self._table.alter(seen.key, status=Status.RETRY, intent=None, failure=None, lookups=0)
