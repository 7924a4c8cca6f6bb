"""The operator: decides what no worker may decide, by what the vendor's console shows.

A conversation that ended `send_unknown` waits for a person. The proof plays that person truthfully
and late enough: the sender's request is no longer in flight, and the vendor lists what it accepted.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class OperatorTable:
    """The conversations table, as far as the operator uses it.

    `record_sent` writes the sid, while `sending` or `send_unknown`. `release` makes a record
    `retry` at a time, without intent and failure; it raises `ConditionFailed` if the record is no
    longer as seen.
    """

    read: Callable[[RecordKey], LedgerRecord | None]
    record_sent: Callable[[RecordKey, SentRecord], None]
    release: Callable[[LedgerRecord, float], None]


class Decision(StrEnum):
    RECORDED = "the sid was recorded"
    RELEASED = "released to be sent"
    NOTHING = "nothing was to be done"


class Operator:
    """Decides open sends, and counts its decisions, and the releases of each conversation."""

    def __init__(self, table: OperatorTable) -> None:
        self._table = table
        self.decisions: Counter[Decision] = Counter()
        self.releases: Counter[RecordKey] = Counter()

    def decide(self, key: RecordKey, sid: str, now: float) -> Decision:
        """Decide on a conversation that ended `send_unknown`.

        `sid` is the message that the vendor has of it, empty if it has none; `now` is in epoch
        seconds. After `RELEASED` the dead-letter message must be redriven.
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


def dynamodb_table(client: "DynamoDBClient", table_name: str) -> OperatorTable:
    """Return the table in DynamoDB, changed by the code of the operator's own tool."""
    repository = ConversationRepository(client, table_name, NO_EXPIRY)
    conversations = ConversationsTable(client, table_name, "by-hand", channel="whatsapp")

    def read(key: RecordKey) -> LedgerRecord | None:
        record = repository.read(key)
        return record.ledger if record else None

    return OperatorTable(
        read, conversations.record_sent, lambda seen, at: repository.apply(release(seen, at))
    )


def in_memory_table(store: FakeLedgerStore) -> OperatorTable:
    """Return the table in memory, which has no time of a release."""

    def read(key: RecordKey) -> LedgerRecord | None:
        record = store.records.get(key)
        return record.ledger_record() if record else None

    def release_unchanged(seen: LedgerRecord, _at: float) -> None:
        if (found := read(seen.key)) != seen:
            raise ConditionFailed(found)
        store.alter(seen.key, status=Status.RETRY, intent=None, failure=None, lookups=0)

    return OperatorTable(read, store.record_sent, release_unchanged)
