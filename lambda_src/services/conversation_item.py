"""A conversation's record as a DynamoDB item: what its attributes are, and what they say."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer, Usage

LARGEST = 360_000
"""Bytes of JSON that a first record may have: DynamoDB takes 400 KB an item, and the answer, the
history and the ledger's own fields must still fit in after the message was sent."""

DEEPEST = 24
"""Levels of nesting stored as maps and lists; DynamoDB takes 32, ours and the parents' included."""

LEAST_EXPONENT, LARGEST_EXPONENT = -130, 125
"""Powers of ten between which DynamoDB holds a number; boto3 lets a few more pass."""

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

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def key_attributes(key: RecordKey) -> dict[str, str]:
    """The table's key attributes."""
    return {"primary_channel": key.primary_channel, "conversation_id": key.conversation_id}


def new_record(context: ContextObject, claim: Claim, version: str) -> dict[str, Any]:
    """The first record of a conversation, claimed."""
    created = timestamp(claim.started_at)
    return {
        **context.attributes,
        **key_attributes(context.key),
        "conversation_status": Status.PROCESSING,
        "lease_owner": claim.owner,
        "lease_expires_at": number(claim.lease_expires_at),
        "attempt": claim.attempt,
        "task_complete": 0,
        "messages": [],
        "hand_off_to_human": False,
        "function_call": False,
        "processor_version": version,
        "created_at": created,
        "updated_at": created,
    }


def rejection(
    key: RecordKey, failure: Failure, request_id: str | None, version: str
) -> dict[str, Any]:
    """The record of a message that was refused before its conversation was claimed."""
    at = timestamp(failure.at)
    return {
        **key_attributes(key),
        **({"request_id": request_id} if request_id else {}),
        "conversation_status": failure.status,
        "failure": from_failure(failure),
        "task_complete": 0,
        "messages": [],
        "hand_off_to_human": False,
        "function_call": False,
        "processor_version": version,
        "created_at": at,
        "updated_at": at,
    }


def history_entry(sent: SentRecord) -> dict[str, Any]:
    """The sent message as an element of `messages`."""
    return {
        "message_id": sent.answer.message_id,
        "timestamp": timestamp(sent.sent_at),
        "role": "assistant",
        "content": sent.answer.content,
        **_tokens(sent.answer.usage),
    }


def from_answer(answer: Answer) -> dict[str, Any]:
    """The stored form of an answer."""
    return {
        "thread_id": answer.thread_id,
        "message_id": answer.message_id,
        "created_at": answer.created_at,
        "text": answer.text,
        "variables": dict(answer.variables),
        **_tokens(answer.usage),
    }


def from_failure(failure: Failure) -> dict[str, str]:
    """The stored form of a failure."""
    return {
        "code": failure.code,
        "step": failure.step,
        "detail": failure.detail,
        "at": timestamp(failure.at),
    }


def to_entry(stored: Mapping[str, Any]) -> Entry:
    """What a stored record says of its conversation's state."""
    record = {name: _deserializer.deserialize(value) for name, value in stored.items()}
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


def serialized(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in DynamoDB's own notation."""
    return {
        name: _serializer.serialize(_storable(value, DEEPEST)) for name, value in attributes.items()
    }


def size(record: Mapping[str, Any]) -> int:
    """Bytes of a record as JSON, a little more than DynamoDB counts for it."""
    return len(json.dumps(record, ensure_ascii=False, default=str).encode())


def timestamp(epoch_seconds: float) -> str:
    """A point in time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds")


def number(value: float) -> Decimal:
    """A number as DynamoDB takes it; times keep their milliseconds."""
    return Decimal(f"{value:.3f}")


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


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


def _storable(value: Any, levels: int) -> Any:
    """The value as DynamoDB can hold it: what it cannot, as the JSON text of that part."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | None | Decimal):
        return value
    if isinstance(value, int | float):
        return _storable_number(value)
    if levels == 0:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return {name: _storable(part, levels - 1) for name, part in value.items()}
    return [_storable(part, levels - 1) for part in value]


def _storable_number(value: float) -> Decimal | str:
    text = repr(value)
    try:
        exact = DYNAMODB_CONTEXT.create_decimal(text)
    except ArithmeticError:
        return text
    is_held = exact.is_finite() and LEAST_EXPONENT <= exact.adjusted() <= LARGEST_EXPONENT
    return exact if is_held else text
