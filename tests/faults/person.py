"""The person on duty: decides what no worker may, by what the vendor's console shows.

A conversation that ended `send_unknown` waits for one. The proof plays that person truthfully, and
late enough: the sender's deadline has passed, no request of its is under way any more, and what the
vendor accepted is listed by now.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Entry, SentRecord
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.retention import KEPT_FOR_GOOD
from ops.register import Register as OperatorsRegister
from ops.register_writes import release

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Register(Protocol):
    """The conversations table, as far as the person on duty touches it."""

    def read(self, key: RecordKey) -> Entry | None:
        """What the record says, None if there is none."""

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`; as the port `Conversations`."""

    def release(self, seen: Entry, at: float) -> None:
        """Make it `retry`, without the old intent and failure, while it is still as seen.

        The answer stays: it is paid for. Raises `ConditionFailed` if the record has changed.
        """


class Decision(StrEnum):
    """What the person did."""

    RECORDED = "the sid was recorded"
    RELEASED = "released to be sent"
    NOTHING = "nothing was to be done"


def decide(register: Register, key: RecordKey, sid: str, now: float) -> Decision:
    """Decide on a conversation that ended `send_unknown`.

    Args:
        register: The table.
        key: Whose record to decide on.
        sid: The message that the vendor has of this conversation, empty if it has none.
        now: Epoch seconds.

    Returns:
        What was done. After `RELEASED` the caller redrives the conversation's dead letter.
    """
    seen = register.read(key)
    if seen is None or seen.status is not Status.SEND_UNKNOWN:
        return Decision.NOTHING
    if not sid:
        register.release(seen, now)
        return Decision.RELEASED
    if seen.answer is None or seen.intent is None:
        raise AssertionError("a send was announced without its answer or its time")
    duration = round(max(0.0, seen.intent.at - seen.created_at) * 1000)
    register.record_sent(key, SentRecord(sid, seen.answer, seen.intent.at, now, duration))
    return Decision.RECORDED


def release_mended(register: Register, key: RecordKey, now: float) -> Decision:
    """Release a conversation that ended `failed`, once what was wrong has been mended."""
    seen = register.read(key)
    if seen is None or seen.status is not Status.FAILED:
        return Decision.NOTHING
    register.release(seen, now)
    return Decision.RELEASED


class TableRegister:
    """Implements `Register` on the DynamoDB table, with the operator's own tool."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._register = OperatorsRegister(client, table_name, KEPT_FOR_GOOD)
        self._conversations = ConversationsTable(client, table_name, "by-hand", channel="whatsapp")

    def read(self, key: RecordKey) -> Entry | None:
        """What the record says, None if there is none."""
        record = self._register.read(key)
        return record.entry if record else None

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""
        self._conversations.record_sent(key, sent)

    def release(self, seen: Entry, at: float) -> None:
        """Make it `retry`, without the old intent and failure, while it is still as seen."""
        self._register.apply(release(seen, at))
