"""What a conversation's record says of its state, read as it stands in DynamoDB."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import RecordForeign, Step
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
    "channel_method",
)
"""What a query asks for, to know a conversation's state."""


def to_entry(stored: Mapping[str, Any], step: Step) -> Entry:
    """What a stored record says of its conversation's state, read by that step.

    A record may have been made or changed by others: a part that is missing, or not as we write
    it, reads as empty. A record with a sid was sent, whatever state others gave it since.

    Raises:
        RecordForeign: Its state is none of the ledger's.
    """
    record = deserialized(stored)
    intent = _to_intent(record)
    return Entry(
        key=RecordKey(record["primary_channel"], record["conversation_id"]),
        status=_status(record, step),
        owner=_text(record, "lease_owner"),
        attempt=int(_number(record, "attempt")),
        lease_expires_at=_number(record, "lease_expires_at"),
        answer=_to_answer(record.get("ai_answer")),
        intent=intent,
        looks=int(_number(record, "settle_looks")),
        sid=_text(record, "message_sid"),
        created_at=_epoch(record.get("created_at"), default=intent.at if intent else 0.0),
        failure_code=_failure_code(record.get("failure")),
        channel=_text(record, "channel_method"),
    )


def _status(record: Mapping[str, Any], step: Step) -> Status:
    stored = record.get("conversation_status")
    if isinstance(stored, str) and stored in set(Status):
        return Status(stored)
    if _text(record, "message_sid"):
        return Status.SENT
    detail = "conversation_status: expected a state of the ledger, found another value"
    raise RecordForeign("record_foreign", step, detail)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, Decimal) else 0.0


def _epoch(stored: object, default: float) -> float:
    try:
        return datetime.fromisoformat(str(stored)).timestamp()
    except (ValueError, OverflowError):
        return default


def _failure_code(stored: object) -> str:
    return _text(stored, "code") if isinstance(stored, Mapping) else ""


def _to_answer(stored: object) -> Answer | None:
    if not isinstance(stored, Mapping):
        return None
    try:
        return _whole_answer(stored)
    except (KeyError, TypeError, ValueError):
        return None


def _whole_answer(stored: Mapping[str, Any]) -> Answer:
    return Answer(
        thread_id=stored["thread_id"],
        message_id=stored["message_id"],
        created_at=stored["created_at"],
        text=stored["text"],
        variables=dict(stored["variables"]),
        usage=Usage(
            int(stored["prompt_tokens"]),
            int(stored["completion_tokens"]),
            int(stored["total_tokens"]),
        ),
    )


def _to_intent(record: Mapping[str, Any]) -> Intent | None:
    if not isinstance(record.get("send_intent_at"), Decimal):
        return None
    return Intent(_number(record, "send_intent_at"), _number(record, "send_deadline"))
