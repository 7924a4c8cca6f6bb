"""Conversation records as DynamoDB items: what is written into one, and what is read from it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lambda_src.core import (
    OPEN_SINCE,
    OPEN_WORK,
    Answer,
    ContextObject,
    DeliveryRecord,
    DeliveryReport,
    DeliveryState,
    DeliveryStatus,
    DraftState,
    Failure,
    HeldDraft,
    HoldReason,
    Intent,
    Lease,
    LedgerRecord,
    OpenWork,
    RecordKey,
    RejectedDraft,
    Status,
    Step,
    UnrecognizedRecord,
    Usage,
)
from lambda_src.services.dynamodb.marshalling import deserialize

MAX_RECORD_BYTES = 360_000
"""Limit for a new record: below DynamoDB's 400 KB, since the answer, the message history and the
ledger's own attributes are added later, after the message was sent."""

LEDGER_ATTRIBUTES = (
    "primary_channel",
    "conversation_id",
    "conversation_status",
    "lease_owner",
    "attempt",
    "lease_expires_at",
    "ai_answer",
    "send_intent_at",
    "send_deadline",
    "intent_id",
    "settle_looks",
    "message_sid",
    "created_at",
    "channel_method",
)
"""The attributes that `to_ledger_record` reads, except `failure` and those of drafts."""


def key_attributes(key: RecordKey) -> dict[str, str]:
    """Return the table's key attributes."""
    return {"primary_channel": key.primary_channel, "conversation_id": key.conversation_id}


def new_record(context: ContextObject, lease: Lease, version: str) -> dict[str, Any]:
    """Return the first record of a conversation, with its lease."""
    created = timestamp(lease.started_at)
    return {
        **context.attributes,
        **key_attributes(context.key),
        "conversation_status": Status.PROCESSING,
        "lease_owner": lease.owner,
        "lease_expires_at": to_decimal(lease.expires_at),
        "attempt": lease.attempt,
        **_initial_values(version, created),
    }


def rejected_record(
    key: RecordKey, failure: Failure, request_id: str | None, version: str
) -> dict[str, Any]:
    """Return the record of a message that was rejected before a lease was acquired."""
    return {
        **key_attributes(key),
        **({"request_id": request_id} if request_id else {}),
        "conversation_status": failure.status,
        "failure": failure_attributes(failure),
        **_initial_values(version, timestamp(failure.at)),
    }


def history_entry(vendor_id: str, answer: Answer, sent_at: float) -> dict[str, Any]:
    """Return the sent message as an element of the attribute `messages`.

    `message_id` is the vendor's id and `response_id` OpenAI's; in records of 1.x, which have no
    `response_id`, `message_id` is OpenAI's.
    """
    return {
        "message_id": vendor_id,
        "response_id": answer.message_id,
        "timestamp": timestamp(sent_at),
        "role": "assistant",
        "content": sent_content(answer),
        **_token_counts(answer.usage),
    }


def sent_content(answer: Answer) -> str:
    """Return what is sent: the text, or the content variables as JSON."""
    return answer.text or json.dumps(dict(answer.variables), ensure_ascii=False)


def answer_attributes(answer: Answer) -> dict[str, Any]:
    """Return the value of the attribute `ai_answer`."""
    return {
        "thread_id": answer.thread_id,
        "message_id": answer.message_id,
        "created_at": answer.created_at,
        "text": answer.text,
        "variables": dict(answer.variables),
        **({"checked": answer.checked} if answer.checked else {}),
        **_token_counts(answer.usage),
    }


def rejected_attributes(rejected: RejectedDraft) -> dict[str, Any]:
    """Return the value of the attribute `rejected_draft`."""
    return {
        "problem": rejected.problem,
        "openai_ids": list(rejected.openai_ids),
        **_token_counts(rejected.usage),
    }


def draft_attributes(draft: HeldDraft) -> dict[str, Any]:
    """Return the value of the attribute `draft`: an answer with its problems."""
    return {**answer_attributes(draft.answer), "problems": list(draft.problems)}


def failure_attributes(failure: Failure) -> dict[str, str]:
    """Return the value of the attribute `failure`."""
    return {
        "code": failure.code,
        "step": failure.step,
        "detail": failure.detail,
        "at": timestamp(failure.at),
    }


def timestamp(epoch_seconds: float) -> str:
    """Format a time as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds")


def to_decimal(epoch_seconds: float) -> Decimal:
    """Round a time to milliseconds, as a number that DynamoDB stores."""
    return Decimal(f"{epoch_seconds:.3f}")


def to_ledger_record(stored: Mapping[str, Any], step: Step) -> LedgerRecord:
    """Read the ledger's state from a stored item.

    Other systems may create or change records, so an attribute that is missing or has an unexpected
    type reads as empty. A record with a vendor id counts as sent, whatever its status.

    Args:
        stored: The item in DynamoDB's notation.
        step: The step that reads it, for the error.

    Raises:
        UnrecognizedRecord: The status is not one of the ledger's.
    """
    return _to_ledger_record(deserialize(stored), step)


def to_delivery_record(stored: Mapping[str, Any], step: Step) -> DeliveryRecord:
    """Read what the events worker needs of a stored item; see `to_ledger_record`."""
    record = deserialize(stored)
    channel = _text(record, "channel_method")
    config = _mapping(_mapping(record.get("channel_config")).get(channel))
    ids, history = record.get("intent_ids"), record.get("delivery_events")
    draft = _to_answer(record.get("draft"))
    has_lookup = _text(record, OPEN_WORK).startswith(f"{channel}#{OpenWork.DELIVERY}#")
    return DeliveryRecord(
        ledger=_to_ledger_record(record, step),
        intent_ids=tuple(map(str, ids)) if isinstance(ids, list) else (),
        delivery=DeliveryState(
            status=_delivery_status(record.get("delivery_status")),
            error_code=_text(record, "delivery_error_code"),
            history=tuple(map(_to_report, history)) if isinstance(history, list) else (),
        ),
        credentials_reference=_text(config, f"{channel}_credentials_id"),
        lookup_at=_number(record, OPEN_SINCE) if has_lookup else None,
        draft_ids=draft.openai_ids if draft else (),
    )


def to_held_draft(record: Mapping[str, Any]) -> HeldDraft | None:
    """Read the draft that waits for an operator from a record's attributes.

    Returns:
        None if the record has none, or one that another program has changed.
    """
    stored, id_ = _mapping(record.get("draft")), _text(record, "draft_id")
    answer, found = _to_answer(stored), _text(record, "hand_off_to_human_reason")
    reason = HoldReason(found) if found in set(HoldReason) else None
    if answer is None or reason is None or not id_:
        return None
    problems = stored.get("problems")
    return HeldDraft(
        id=id_,
        answer=replace(answer, written_by=_mapping(record.get("written_by"))),
        template_id=_text(record, "draft_template_id"),
        reason=reason,
        problems=tuple(map(str, problems)) if isinstance(problems, list) else (),
        at=_number(record, OPEN_SINCE),
    )


def report_attributes(report: DeliveryReport) -> dict[str, str]:
    """Return one report as an element of the attribute `delivery_events`."""
    code = {"error_code": report.error_code} if report.error_code else {}
    return {"status": report.status, **code, "at": timestamp(report.at)}


def _to_ledger_record(record: Mapping[str, Any], step: Step) -> LedgerRecord:
    intent = None
    if isinstance(record.get("send_intent_at"), Decimal):
        times = (_number(record, "send_intent_at"), _number(record, "send_deadline"))
        intent = Intent(*times, _text(record, "intent_id"))
    failure, answer = record.get("failure"), _to_answer(record.get("ai_answer"))
    if answer:
        answer = replace(answer, written_by=_mapping(record.get("written_by")))
    return LedgerRecord(
        key=RecordKey(record["primary_channel"], record["conversation_id"]),
        status=_status(record, step),
        owner=_text(record, "lease_owner"),
        attempt=int(_number(record, "attempt")),
        lease_expires_at=_number(record, "lease_expires_at"),
        answer=answer,
        intent=intent,
        lookups=int(_number(record, "settle_looks")),
        vendor_id=_text(record, "message_sid"),
        created_at=_to_epoch_seconds(record.get("created_at"), intent.at if intent else 0.0),
        failure_code=_text(failure, "code") if isinstance(failure, Mapping) else "",
        channel=_text(record, "channel_method"),
        drafts=_to_draft_state(record),
    )


def _to_draft_state(record: Mapping[str, Any]) -> DraftState:
    threads = record.get("discarded_threads")
    return DraftState(
        rejected=_to_rejected(record.get("rejected_draft")),
        discarded_threads=tuple(map(str, threads)) if isinstance(threads, list) else (),
        template_id=_text(record, "draft_template_id"),
        approved_by=_text(_mapping(record.get("written_by")), "approved_by"),
        held_id=_text(record, "draft_id"),
    )


def _initial_values(version: str, at: str) -> dict[str, Any]:
    return {
        "task_complete": 0,
        "messages": [],
        "hand_off_to_human": False,
        "function_call": False,
        "processor_version": version,
        "created_at": at,
        "updated_at": at,
    }


def _token_counts(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _status(record: Mapping[str, Any], step: Step) -> Status:
    stored = record.get("conversation_status")
    if isinstance(stored, str) and stored in set(Status):
        return Status(stored)
    if _text(record, "message_sid"):
        return Status.SENT
    detail = "conversation_status: expected a state of the ledger, found another value"
    raise UnrecognizedRecord("record_foreign", step, detail)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _delivery_status(stored: object) -> DeliveryStatus | None:
    if isinstance(stored, str) and stored in set(DeliveryStatus):
        return DeliveryStatus(stored)
    return None


def _to_report(stored: object) -> DeliveryReport:
    entry = _mapping(stored)
    status = _delivery_status(entry.get("status")) or DeliveryStatus.QUEUED
    at = _to_epoch_seconds(entry.get("at"), 0.0)
    return DeliveryReport(status, _text(entry, "error_code"), at)


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, Decimal) else 0.0


def _to_epoch_seconds(stored: object, default: float) -> float:
    try:
        return datetime.fromisoformat(str(stored)).timestamp()
    except (ValueError, OverflowError):
        return default


def _to_answer(stored: object) -> Answer | None:
    if not isinstance(stored, Mapping):
        return None
    try:
        return Answer(
            thread_id=stored["thread_id"],
            message_id=stored["message_id"],
            created_at=stored["created_at"],
            text=stored["text"],
            variables=dict(stored["variables"]),
            usage=_to_usage(stored),
            checked=_text(stored, "checked"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _to_rejected(stored: object) -> RejectedDraft | None:
    if not isinstance(stored, Mapping):
        return None
    try:
        ids = tuple(map(str, stored["openai_ids"]))
        return RejectedDraft(stored["problem"], ids, _to_usage(stored))
    except (KeyError, TypeError, ValueError):
        return None


def _to_usage(stored: Mapping[str, Any]) -> Usage:
    return Usage(
        int(stored["prompt_tokens"]),
        int(stored["completion_tokens"]),
        int(stored["total_tokens"]),
    )
