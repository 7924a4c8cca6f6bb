"""The flow: one context object becomes one message, and the record says what happened."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from lambda_src.core.contract import HoldReason, LogEvent, Status, Step
from lambda_src.core.deadlines import retry_until_deadline
from lambda_src.core.delivery.reconciliation import Reconciler
from lambda_src.core.delivery.sending import AtMostOnceSender
from lambda_src.core.drafts.composer import MessageComposer
from lambda_src.core.errors import (
    AttemptsExhausted,
    PermanentFailure,
    ProcessingError,
    RecipientErased,
    RecipientOptedOut,
    RejectedContext,
    TransientFailure,
    unexpected_error,
)
from lambda_src.core.ledger import (
    ConditionFailed,
    Failure,
    HeldDraft,
    Lease,
    LeaseGuard,
    LeaseManager,
    LedgerRecord,
    LedgerStore,
    NextAction,
    RecipientSuppressed,
    SentRecord,
    next_action,
)
from lambda_src.core.log import log_failure, log_unrecorded_failure
from lambda_src.core.models import Answer, ContextObject, Delivery, Outcome, RecordKey
from lambda_src.core.ports import Clock, Credentials, HandOffQueue, Heartbeat, Queue, Secrets

log = logging.getLogger(__name__)

API_KEY_FIELDS = (("frontend_payload", "company_data"), ("company_data_payload",))
"""The parts of a context object in which a router may have put an API key."""
MAX_RECORDING_SECONDS = 20.0
"""How long the table may be unavailable before a failure stays unrecorded."""


@dataclass(frozen=True, slots=True)
class FailureRecorder:
    """Records failures; if that fails it is logged, and the message still fails as it did."""

    store: LedgerStore
    clock: Clock
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def record_on_error(self, lease: Lease, delivery: Delivery) -> Iterator[None]:
        """Log and record an error in the context, if the lease is still ours.

        An unexpected error counts as transient: the send itself raises only `ProcessingError`.
        """
        try:
            yield
        except Exception as raised:
            error = unexpected_error(raised, delivery.step)
            self._record(lease, error, delivery)
            if error is raised:
                raise
            raise error from raised

    def record_rejection(
        self, key: RecordKey, error: PermanentFailure, request_id: str | None, requested_at: float
    ) -> None:
        """Record a message that was refused before its lease was acquired.

        The record of an earlier message of the conversation stays unchanged. An approved one fails
        if the message was rebuilt from it: each further copy would be rejected as well.

        Raises:
            RecipientErased: The recipient was erased after the request: nothing is recorded.
        """
        failure = self._failure(error, Status.FAILED)
        try:
            if found := self._reject(key, error, failure, request_id, requested_at):
                self.store.mark_failed_if_unchanged(found, failure)
        except ConditionFailed:
            pass  # another worker has changed the record
        except RecipientErased:
            raise
        except ProcessingError as unrecorded:
            log_unrecorded_failure(unrecorded)

    def _reject(
        self,
        key: RecordKey,
        error: PermanentFailure,
        failure: Failure,
        request_id: str | None,
        requested_at: float,
    ) -> LedgerRecord | None:
        """Write the record of a refused message, or return the existing one that fails instead."""
        if isinstance(error, RecipientSuppressed) and error.record:
            return error.record
        try:
            self.store.record_rejection(key, failure, request_id, requested_at)
        except ConditionFailed as failed:
            found = failed.record
            if found and isinstance(error, RejectedContext) and error.is_rebuilt:
                is_free = next_action(found, "", failure.at) is NextAction.TAKE_OVER
                return found if found.drafts.approved_by and is_free else None
        return None

    def _record(self, lease: Lease, error: ProcessingError, delivery: Delivery) -> None:
        if error.recorded_status is None:
            return
        log_failure(error, delivery)
        failure = self._failure(error, error.recorded_status, error.openai_ids)
        try:
            # An intent may be recorded although nothing was sent: only this write corrects it.
            retry_until_deadline(
                lambda: self.store.record_failure(lease, failure),
                deadline=delivery.deadline,
                clock=self.clock,
                sleep=self.sleep,
                max_seconds=MAX_RECORDING_SECONDS,
            )
        except ConditionFailed:
            log.warning("the record is another worker's", extra={"event": LogEvent.LEASE_LOST})
        except ProcessingError as unrecorded:
            log_unrecorded_failure(unrecorded)

    def _failure(
        self, error: ProcessingError, status: Status, openai_ids: tuple[str, ...] = ()
    ) -> Failure:
        suppresses, now = isinstance(error, RecipientOptedOut), self.clock()
        return Failure(status, error.code, error.step, error.detail, now, suppresses, openai_ids)


@dataclass(frozen=True, slots=True)
class MessageFlow:
    """Processes one delivery, step by step; every part is a port or consists of ports.

    Without `hand_off_queue` a draft that would be held fails.
    """

    leases: LeaseManager
    secrets: Secrets
    composer: MessageComposer
    sender: AtMostOnceSender
    failures: FailureRecorder
    reconciler: Reconciler
    queue: Queue
    clock: Clock
    hand_off_queue: HandOffQueue | None = None

    def process(self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat) -> Outcome:
        """Process one delivery; `delivery.step` is the step in progress when an error is raised.

        Raises:
            ProcessingError: The message was not, or not certainly, sent.
        """
        found = self._acquire(delivery, context)
        if isinstance(found, Lease):
            if self._compose_and_send(delivery, context, found, heartbeat):
                return Outcome.SENT
            return self._hand_off(delivery)
        if found.status is Status.SENT:
            return Outcome.ALREADY_PROCESSED
        if found.status is Status.AWAITING_APPROVAL:
            return self._hand_off(delivery)
        delivery.step = Step.SETTLE
        self.reconciler.reconcile(
            delivery, context, found, is_final_attempt=self._is_final_attempt(delivery)
        )
        return Outcome.SETTLED

    def reject(self, delivery: Delivery, rejected: RejectedContext) -> None:
        """Record a rejected context object as `failed`, if it contains its record's key.

        Raises:
            RecipientErased: The recipient was erased after the request: nothing is recorded.
        """
        delivery.step = Step.RECORD
        if rejected.key:
            self.failures.record_rejection(
                rejected.key, rejected, rejected.request_id, delivery.sent_at
            )

    def _acquire(self, delivery: Delivery, context: ContextObject) -> Lease | LedgerRecord:
        delivery.step = Step.CLAIM
        if not self.sender.times.has_time_to_acquire(delivery.deadline - self.clock()):
            raise TransientFailure("out_of_time", Step.CLAIM, retry_in=0)
        requested_at = min(delivery.sent_at, context.requested_at or delivery.sent_at)
        try:
            return self.leases.acquire(context, delivery.owner, requested_at)
        except PermanentFailure as error:
            log_failure(error, delivery)
            self.failures.record_rejection(context.key, error, context.request_id, requested_at)
            raise

    def _compose_and_send(
        self, delivery: Delivery, context: ContextObject, lease: Lease, heartbeat: Heartbeat
    ) -> bool:
        """Send the message and return True, or hold its draft and return False."""
        with self.failures.record_on_error(lease, delivery):
            if self._is_final_attempt(delivery):
                # No delivery would remain to reconcile a send with an unknown outcome.
                detail = f"the last failure was {lease.last_failure or 'not recorded'}"
                raise AttemptsExhausted("receives_used_up", Step.CLAIM, detail)
            guard = LeaseGuard(self.leases, lease)
            with heartbeat.renewing(delivery.message_id, guard.renew):
                delivery.step = Step.SECRETS
                credentials = self.secrets.credentials(context.credentials_reference)
                draft = self._draft(delivery, context, lease, credentials, guard)
            if isinstance(draft, HeldDraft):
                self._hold(delivery, lease, draft)
                return False
            delivery.step = Step.SEND
            intent = self.sender.record_intent(lease, draft, delivery.deadline)
            vendor_id = self.sender.send(context, credentials, draft, intent)
        now = self.clock()
        sent = SentRecord(vendor_id, draft, now, now, round((now - lease.started_at) * 1000))
        self.sender.record_sent(lease.key, sent, delivery)
        log.info("sent", extra={"event": LogEvent.MESSAGE_SENT, "message_sid": vendor_id})
        return True

    def _draft(
        self,
        delivery: Delivery,
        context: ContextObject,
        lease: Lease,
        credentials: Credentials,
        guard: LeaseGuard,
    ) -> Answer | HeldDraft:
        template_id = credentials.template_id
        if lease.answer:
            return self.composer.reuse(delivery, context, lease, lease.answer, template_id)
        if context.needs_review:  # before the AI is paid
            self._require_hand_off_queue(HoldReason.REVIEW_REQUESTED)
        return self.composer.compose(delivery, context, lease, template_id, guard.check)

    def _hold(self, delivery: Delivery, lease: Lease, draft: HeldDraft) -> None:
        delivery.step = Step.HOLD
        self._require_hand_off_queue(draft.summary)
        self.leases.hold_draft(lease, draft)
        log.warning(
            "the draft waits for an operator: %s",
            draft.summary,
            extra={"event": LogEvent.DRAFT_HELD, "problems": len(draft.problems)},
        )

    def _hand_off(self, delivery: Delivery) -> Outcome:
        """Put a copy of the context object on the hand-off queue; the record has the draft."""
        delivery.step = Step.HOLD
        self._require_hand_off_queue("the draft is held").put(hand_off_copy(delivery.body))
        return Outcome.HELD

    def _require_hand_off_queue(self, why: str) -> HandOffQueue:
        if self.hand_off_queue is None:
            raise PermanentFailure("handoff_queue_missing", Step.HOLD, why)
        return self.hand_off_queue

    def _is_final_attempt(self, delivery: Delivery) -> bool:
        """Return whether the next receive would move the message to the dead-letter queue.

        A first delivery is never the final one, and costs no request to the queue.
        """
        if delivery.receive_count == 1:
            return False
        try:
            return delivery.receive_count >= self.queue.max_receive_count()
        except ProcessingError as error:
            log.warning("the queue's maxReceiveCount is unknown", extra={"event": error.event})
            return False


def hand_off_copy(body: str) -> str:
    """Return a context object's text without API keys, as compact as JSON can be.

    A number that no float represents becomes a text, as the parser reads it.
    """
    document = json.loads(body, parse_float=_float_or_text)
    for path in API_KEY_FIELDS:
        part = document
        for name in path:
            part = part[name]
        part.pop("api_key", None)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _float_or_text(number: str) -> float | str:
    value, exact = float(number), Decimal(number)
    return value if Decimal(repr(value)) == exact else str(exact)
