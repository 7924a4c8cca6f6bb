"""What a conversation's record says of its state, read as it stands in DynamoDB."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Entry, Intent
from lambda_src.core.message import Answer, Usage
from lambda_src.services.dynamodb_values import deserialized

ENTRY_ATTRIBUTES = (
    "primary_channel",
    "conversation_id",
    "conversation_status",
    "lease_owner",
    "attempt",
    "lease_expires_at",
    "ai_answer",
    "send_intent_at",
    "send_deadline",
    "settle_looks",
    "message_sid",
    "created_at",
)
"""What a query asks for, to know a conversation's state."""


def to_entry(stored: Mapping[str, Any]) -> Entry:
    """What a stored record says of its conversation's state."""
    record = deserialized(stored)
    return Entry(
        key=RecordKey(record["primary_channel"], record["conversation_id"]),
        status=Status(record["conversation_status"]),
        owner=record.get("lease_owner", ""),
        attempt=int(record.get("attempt", 0)),
        lease_expires_at=float(record.get("lease_expires_at", 0)),
        answer=_to_answer(record["ai_answer"]) if "ai_answer" in record else None,
        intent=_to_intent(record),
        looks=int(record.get("settle_looks", 0)),
        sid=record.get("message_sid", ""),
        created_at=datetime.fromisoformat(record["created_at"]).timestamp(),
        failure_code=record.get("failure", {}).get("code", ""),
    )


def _to_answer(stored: Mapping[str, Any]) -> Answer:
    return Answer(
        thread_id=stored["thread_id"],
        message_id=stored["message_id"],
        created_at=stored["created_at"],
        text=stored["text"],
        variables=stored["variables"],
        usage=Usage(
            int(stored["prompt_tokens"]),
            int(stored["completion_tokens"]),
            int(stored["total_tokens"]),
        ),
    )


def _to_intent(record: Mapping[str, Any]) -> Intent | None:
    if "send_intent_at" not in record:
        return None
    return Intent(float(record["send_intent_at"]), float(record.get("send_deadline", 0)))
