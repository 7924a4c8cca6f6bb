"""What is written into a conversation's record: the attributes and their values."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Failure, SentRecord
from lambda_src.core.message import Answer, Usage

LARGEST = 360_000
"""Bytes that a first record may have: DynamoDB takes 400 KB an item, and the answer, the history
and the ledger's own fields must still fit in after the message was sent."""


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
