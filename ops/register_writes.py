"""What a person may change of a conversation's record: while it is as they saw it, and signed.

These are the ledger's transitions that no worker makes. The rest of its rules stand in
`lambda_src.core.ledger`, its workers' writes in `lambda_src.services.dynamodb_writes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Entry, Failure, SentRecord
from lambda_src.services import conversation_item as item
from lambda_src.services import dynamodb_writes as writes
from lambda_src.services.dynamodb_update import Update, as_seen

ACTIONS = "operator_actions"
"""The record's list of what people did to it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who does something, why, and when (epoch seconds)."""

    who: str
    why: str
    at: float

    def line(self, what: str) -> dict[str, str]:
        """The audit line that a change leaves in its record."""
        return {"at": item.timestamp(self.at), "who": self.who, "what": what, "why": self.why}


def release(seen: Entry, at: float) -> Update:
    """Let a worker claim a conversation again: `retry`, without the old intent and failure.

    The AI's answer stays: it is paid for.
    """
    update = Update(
        Step.SETTLE,
        seen.key,
        "SET conversation_status = :retry, updated_at = :at"
        " REMOVE failure, send_intent_at, send_deadline, settle_looks",
        "",
        {":retry": Status.RETRY, ":at": item.timestamp(at)},
        kept_from=at,
    )
    return as_seen(update, seen)


def close(seen: Entry, failure: Failure) -> Update:
    """End a conversation that nobody works on and of which nothing was sent."""
    return replace(writes.turn_away(seen, failure), step=Step.SETTLE)


def record_sent(seen: Entry, sent: SentRecord) -> Update:
    """Write the sid of a message that a person found at the vendor."""
    return as_seen(writes.record_sent(seen.key, sent), seen)


def note(key: RecordKey, at: float) -> Update:
    """Change nothing but the list of what people did."""
    values = {":at": item.timestamp(at)}
    exists = "attribute_exists(conversation_id)"
    return Update(Step.RECORD, key, "SET updated_at = :at", exists, values)


def signed(update: Update, line: Mapping[str, str]) -> Update:
    """The same update, leaving its audit line in the same write."""
    appended = f"{ACTIONS} = list_append(if_not_exists({ACTIONS}, :no_lines), :lines)"
    return replace(
        update,
        expression=update.expression.replace("SET ", f"SET {appended}, ", 1),
        values={**update.values, ":no_lines": [], ":lines": [dict(line)]},
    )
