"""Reconciles sends with an unknown outcome: found at the vendor or marked unknown, never resent."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lambda_src.core.contract import LogEvent, Status, Step
from lambda_src.core.delivery.sending import AtMostOnceSender, outgoing_message
from lambda_src.core.errors import (
    CredentialsRefused,
    PermanentFailure,
    SendDeclaredUnknown,
    SendOutcomePending,
    TransientFailure,
)
from lambda_src.core.ledger import (
    ConditionFailed,
    Failure,
    Intent,
    LedgerRecord,
    LedgerStore,
    SentRecord,
)
from lambda_src.core.log import log_failure, log_unrecorded_failure
from lambda_src.core.models import Answer, ContextObject, Delivery
from lambda_src.core.ports import Clock, Secrets, Sender
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS, TimeBudget

log = logging.getLogger(__name__)

UNRESOLVED = (Status.SENDING, Status.SEND_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Looks a message up in the vendor's list, a few times with increasing delays.

    Without `has_message_list` the vendor has no list, and the first delivery after the sender's
    deadline marks the send as unknown.
    """

    store: LedgerStore
    secrets: Secrets
    sender: Sender
    at_most_once: AtMostOnceSender
    clock: Clock
    times: TimeBudget
    has_message_list: bool = True

    def reconcile(
        self,
        delivery: Delivery,
        context: ContextObject,
        record: LedgerRecord,
        *,
        is_final_attempt: bool,
    ) -> None:
        """Reconcile a record in `sending`; returns once its vendor id is recorded.

        Args:
            delivery: The delivery that found the record.
            context: The message's addresses and credentials.
            record: The record as it was found.
            is_final_attempt: Whether no delivery will follow.

        Raises:
            SendOutcomePending: To be looked up again later.
            SendDeclaredUnknown: Looked up often enough, or not possible; recorded as
                `send_unknown`.
            ProcessingError: The vendor or the table did not answer.
        """
        if not is_final_attempt:
            self._check_schedule(record)
        if not self.has_message_list:
            self._mark_unknown(delivery, record, "no_message_list")
            return
        vendor_id = self._lookup(delivery, context, record, is_final_attempt=is_final_attempt)
        if vendor_id and record.answer:
            self._record_sent(delivery, record, record.answer, vendor_id)
        elif is_final_attempt or record.lookups >= len(self.times.lookup_delays):
            self._mark_unknown(delivery, record, "not_found_at_vendor")
        else:
            self._count_lookup(record)

    def _check_schedule(self, record: LedgerRecord) -> None:
        # By the clock, not by deliveries: a duplicate on the queue must not shorten the schedule.
        sender_deadline = record.intent.deadline if record.intent else 0.0
        due_at = sender_deadline + sum(self.times.lookup_delays[: record.lookups])
        remaining = due_at - self.clock()
        if remaining > 0:
            raise SendOutcomePending("not_yet_looked_for", Step.SETTLE, retry_in=remaining)

    def _lookup(
        self,
        delivery: Delivery,
        context: ContextObject,
        record: LedgerRecord,
        *,
        is_final_attempt: bool,
    ) -> str | None:
        if not record.answer or not record.intent:
            return None
        try:
            vendor_ids = self._find(delivery, context, record.answer, record.intent)
            return (
                match_sid(vendor_ids, record, self.store.related_records(record.key))
                if vendor_ids
                else None
            )
        except Exception as error:
            if is_final_attempt:  # no later lookup could succeed
                return None
            if isinstance(error, PermanentFailure):
                # A secret can be corrected; the outcome of the send is still open.
                raise SendOutcomePending(
                    error.code, Step.SETTLE, error.detail, alarm=error.alarm
                ) from error
            raise

    def _find(
        self, delivery: Delivery, context: ContextObject, answer: Answer, intent: Intent
    ) -> tuple[str, ...]:
        message = outgoing_message(context, answer, intent)

        def find(*, fresh: bool) -> tuple[str, ...]:
            if not self.times.has_time_to_look_up(delivery.deadline - self.clock()):
                raise TransientFailure("out_of_time", Step.SETTLE, retry_in=0)
            credentials = self.secrets.credentials(context.credentials_reference, fresh=fresh)
            return self.sender.find(credentials, message, since=intent.at - CLOCK_SKEW_SECONDS)

        try:
            return find(fresh=False)
        except CredentialsRefused:
            return find(fresh=True)

    def _record_sent(
        self, delivery: Delivery, record: LedgerRecord, answer: Answer, vendor_id: str
    ) -> None:
        sent_at = record.intent.at if record.intent else self.clock()
        duration_ms = round(max(0.0, sent_at - record.created_at) * 1000)
        sent = SentRecord(vendor_id, answer, sent_at, self.clock(), duration_ms)
        self.at_most_once.record_sent(record.key, sent, delivery)
        log.info(
            "a send with an unknown outcome was found at the vendor and recorded",
            extra={
                "event": LogEvent.SEND_SETTLED,
                "message_sid": vendor_id,
                "looks": record.lookups,
            },
        )

    def _count_lookup(self, record: LedgerRecord) -> None:
        try:
            self.store.count_lookup(record.key, record)
        except ConditionFailed as failed:
            _check_recorded_elsewhere(failed)
        else:
            delay = self.times.lookup_delays[record.lookups]
            raise SendOutcomePending("not_listed_yet", Step.SETTLE, retry_in=delay)

    def _mark_unknown(self, delivery: Delivery, record: LedgerRecord, code: str) -> None:
        unknown = SendDeclaredUnknown(code, Step.SETTLE, fields={"looks": record.lookups})
        log_failure(unknown, delivery)
        failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", self.clock())
        try:
            self.store.mark_unknown(record.key, failure, record)
        except ConditionFailed as failed:
            _check_recorded_elsewhere(failed)
        except Exception as error:
            # The record stays `sending`, so that a later delivery marks it again.
            log_unrecorded_failure(error)
            raise unknown from error
        else:
            raise unknown


def _check_recorded_elsewhere(failed: ConditionFailed) -> None:
    """Return if another delivery recorded the message as sent.

    Raises:
        SendOutcomePending: The record has another state.
    """
    if failed.record is None or failed.record.status is not Status.SENT:
        raise SendOutcomePending("settled_elsewhere", Step.SETTLE, retry_in=0) from failed


def match_sid(
    vendor_ids: Sequence[str], record: LedgerRecord, related: Sequence[LedgerRecord]
) -> str | None:
    """Return which of the listed messages is this conversation's, if that can be determined.

    The vendor's list has text and recipient, but no conversation. A message of the same text may
    belong to another conversation with an unresolved send. If there is one message for each of
    them, they are assigned in the order of the sends, as far as that is certain.

    Args:
        vendor_ids: Listed messages with this conversation's text, the oldest first.
        record: The conversation.
        related: The recipient's other conversations that have a vendor id or may yet get one. Those
            on another channel are ignored, since their messages are in another list.
    """
    related = [other for other in related if record.may_be_on(other.channel)]
    unresolved = [other for other in related if other.status in UNRESOLVED and not other.vendor_id]
    if record.answer is None or any(_is_ambiguous(other, record.answer) for other in unresolved):
        return None
    taken = {other.vendor_id for other in related}
    free = [vendor_id for vendor_id in vendor_ids if vendor_id not in taken]
    same_text = [other for other in unresolved if _has_same_text(other, record.answer)]
    if len(free) <= len(same_text) or not all(_has_order(record, other) for other in same_text):
        return None
    return free[sum(_intent_time(other) < _intent_time(record) for other in same_text)]


def _has_same_text(other: LedgerRecord, answer: Answer) -> bool:
    # The table does not keep the order of variables.
    return other.answer is not None and other.answer.has_same_content(answer)


def _is_ambiguous(other: LedgerRecord, answer: Answer) -> bool:
    """Return whether an unresolved message of another text could be mistaken for this one.

    A template message is matched by its values alone, and the other's values may contain each of
    them. Until the other is resolved, a listed message cannot be assigned.
    """
    if other.answer is None or _has_same_text(other, answer):
        return False
    others_values = other.answer.variables.values()
    values = answer.variables.values()
    return bool(values) and all(any(value in text for text in others_values) for value in values)


def _has_order(one: LedgerRecord, another: LedgerRecord) -> bool:
    """Return whether one of two sends was over when the other one's intent was recorded.

    Otherwise the order is not known: a worker may be delayed after its intent, and clocks differ,
    for which the deadline allows.
    """
    first, second = sorted((one, another), key=_intent_time)
    return first.intent is not None and first.intent.deadline < _intent_time(second)


def _intent_time(record: LedgerRecord) -> float:
    return record.intent.at if record.intent else 0.0
