"""The ledger's updates as DynamoDB's expressions: what is set, and on what condition."""

from typing import Any

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_update import FOR_GOOD, Update, as_seen, still

OURS = "lease_owner = :owner AND attempt = :attempt"
SET_FAILURE = "SET conversation_status = :status, failure = :failure, updated_at = :at"


def take_over(claim: Claim, seen: Entry) -> Update:
    """Hold a record that is still as it was seen."""
    taken = Update(
        Step.CLAIM,
        claim.key,
        "SET conversation_status = :processing, lease_owner = :owner, attempt = :attempt,"
        " lease_expires_at = :expires, updated_at = :at",
        "",
        {
            **_ours(claim),
            ":processing": Status.PROCESSING,
            ":expires": item.number(claim.lease_expires_at),
            ":at": item.timestamp(claim.started_at),
        },
        kept_from=claim.started_at,
    )
    return as_seen(taken, seen)


def renew(claim: Claim, expires_at: float) -> Update:
    """Extend the lease, while `processing` and ours."""
    return Update(
        Step.CLAIM,
        claim.key,
        "SET lease_expires_at = :expires",
        f"conversation_status = :processing AND {OURS}",
        {
            **_ours(claim),
            ":processing": Status.PROCESSING,
            ":expires": item.number(expires_at),
        },
    )


def store_answer(claim: Claim, answer: Answer) -> Update:
    """Keep the AI's answer, while `processing` and ours."""
    return Update(
        Step.AI,
        claim.key,
        "SET ai_answer = :answer",
        f"conversation_status = :processing AND {OURS}",
        {
            **_ours(claim),
            ":processing": Status.PROCESSING,
            ":answer": item.from_answer(answer),
        },
    )


def begin_send(claim: Claim, intent: Intent, answer: Answer) -> Update:
    """Go from `processing` to `sending`, while the lease is ours and valid; keep the answer."""
    return Update(
        Step.SEND,
        claim.key,
        "SET conversation_status = :sending, ai_answer = :answer, thread_id = :thread,"
        " send_intent_at = :intent, send_deadline = :deadline, settle_looks = :none,"
        " updated_at = :at",
        f"conversation_status = :processing AND {OURS} AND lease_expires_at > :intent",
        {
            **_ours(claim),
            ":processing": Status.PROCESSING,
            ":sending": Status.SENDING,
            ":answer": item.from_answer(answer),
            ":thread": answer.thread_id,
            ":intent": item.number(intent.at),
            ":deadline": item.number(intent.deadline),
            ":none": 0,
            ":at": item.timestamp(intent.at),
        },
        kept_from=FOR_GOOD,
    )


def record_sent(key: RecordKey, sent: SentRecord) -> Update:
    """Write the sid, while `sending` or `send_unknown`, whoever holds the lease."""
    return Update(
        Step.RECORD,
        key,
        "SET conversation_status = :sent, message_sid = :sid, messages = :messages,"
        " thread_id = :thread, initial_processing_time_ms = :duration, updated_at = :at"
        " REMOVE ai_answer, failure, lease_expires_at, send_deadline",
        "conversation_status IN (:sending, :unknown)",
        {
            ":sent": Status.SENT,
            ":sid": sent.sid,
            ":messages": [item.history_entry(sent)],
            ":thread": sent.answer.thread_id,
            ":duration": sent.processing_time_ms,
            ":at": item.timestamp(sent.recorded_at),
            ":sending": Status.SENDING,
            ":unknown": Status.SEND_UNKNOWN,
        },
        kept_from=sent.recorded_at,
    )


def record_failure(claim: Claim, failure: Failure) -> Update:
    """Write `failed` or `retry`, while `processing` or `sending` and ours."""
    return Update(
        Step.RECORD,
        claim.key,
        SET_FAILURE,
        f"conversation_status IN (:processing, :sending, :status) AND {OURS}",
        {
            **_ours(claim),
            **_failed(failure),
            ":processing": Status.PROCESSING,
            ":sending": Status.SENDING,
        },
        kept_from=failure.at,
    )


def turn_away(seen: Entry, failure: Failure) -> Update:
    """Write `failed` over a record that nobody works on, still as it was seen."""
    update = Update(Step.RECORD, seen.key, SET_FAILURE, "", _failed(failure), kept_from=failure.at)
    return as_seen(update, seen)


def count_look(key: RecordKey, seen: Entry) -> Update:
    """Count one more look for the sid of an unsettled send."""
    return Update(
        Step.SETTLE,
        key,
        "SET settle_looks = :looks",
        f"conversation_status = :sending AND {still('lease_owner', ':seen_owner', seen.owner)}",
        {
            ":looks": seen.looks + 1,
            ":sending": Status.SENDING,
            ":seen_owner": seen.owner,
        },
    )


def declare_unknown(key: RecordKey, failure: Failure, seen: Entry) -> Update:
    """Write `send_unknown`, while still `sending` by the same owner."""
    return Update(
        Step.SETTLE,
        key,
        SET_FAILURE,
        "conversation_status IN (:sending, :status)"
        f" AND {still('lease_owner', ':seen_owner', seen.owner)}",
        {**_failed(failure), ":sending": Status.SENDING, ":seen_owner": seen.owner},
        kept_from=FOR_GOOD,
    )


def _ours(claim: Claim) -> dict[str, Any]:
    return {":owner": claim.owner, ":attempt": claim.attempt}


def _failed(failure: Failure) -> dict[str, Any]:
    return {
        ":status": failure.status,
        ":failure": item.from_failure(failure),
        ":at": item.timestamp(failure.at),
    }
