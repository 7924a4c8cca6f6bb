"""Leases: one worker per conversation, and none after the message was sent."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import (
    LeaseHeld,
    LeaseLost,
    TerminalState,
    TransientFailure,
    UnrecognizedRecord,
)
from lambda_src.core.ledger.records import (
    ConditionFailed,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    NextAction,
    RecipientSuppressed,
    RejectedDraft,
    next_action,
)
from lambda_src.core.ledger.store import LedgerStore
from lambda_src.core.models import Answer, ContextObject

MAX_TAKEOVERS = 3
"""Lost races for a record after which a delivery gives up."""


@dataclass(frozen=True, slots=True)
class LeaseManager:
    """Acquires leases and makes the writes that require one.

    Attributes:
        store: The conversations table.
        clock: Returns the time in epoch seconds.
        lease_seconds: How long a lease is valid without renewal.
    """

    store: LedgerStore
    clock: Callable[[], float]
    lease_seconds: float

    def acquire(
        self, context: ContextObject, owner: str, requested_at: float
    ) -> Lease | LedgerRecord:
        """Acquire the conversation's lease for the delivery `owner`.

        Returns:
            The lease, or the record of a conversation whose message is sent or `sending`, or whose
            draft is held.

        Raises:
            UnrecognizedRecord: The conversation is on another channel.
            LeaseHeld: Another worker has a valid lease.
            TerminalState: The record is `failed` or `send_unknown`.
            RecipientSuppressed: The recipient opted out.
            RecipientErased: The recipient was erased after `requested_at`.
            ProcessingError: The table did not answer, or refused the record as too large.
        """
        now = self.clock()
        expires_at = now + self.lease_seconds
        lease = Lease(context.key, owner, 1, expires_at, now, requested_at=requested_at)
        try:
            self.store.create(context, lease)
        except ConditionFailed as failed:
            found = failed.record
            # One phone number is the partition key of several channels.
            if found and not found.may_be_on(context.channel):
                detail = f"channel_method: expected {context.channel}, found another channel"
                raise UnrecognizedRecord(
                    "record_of_another_channel", Step.CLAIM, detail
                ) from failed
            return self._acquire_existing(lease, found)
        return lease

    def _acquire_existing(self, lease: Lease, found: LedgerRecord | None) -> Lease | LedgerRecord:
        for _ in range(MAX_TAKEOVERS):
            if found is None:
                break
            action = next_action(found, lease.owner, lease.started_at)
            if action is not NextAction.TAKE_OVER:
                return _follow(action, lease, found)
            try:
                return self._take_over(lease, found)
            except ConditionFailed as failed:
                found = failed.record
        raise TransientFailure("claim_contended", Step.CLAIM)

    def _take_over(self, lease: Lease, found: LedgerRecord) -> Lease:
        taken = replace(
            lease,
            attempt=found.attempt + 1,
            answer=found.answer,
            last_failure=found.failure_code,
            drafts=found.drafts,
        )
        try:
            self.store.take_over(taken, found)
        except RecipientSuppressed as suppressed:
            suppressed.record = found
            raise
        return taken

    def renew(self, lease: Lease) -> float:
        """Extend the lease from now on, and return its end in epoch seconds.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        expires_at = self.clock() + self.lease_seconds
        try:
            self.store.renew(lease, expires_at)
        except ConditionFailed as failed:
            raise LeaseLost("lease_lost", Step.CLAIM) from failed
        return expires_at

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        """Record the intent to send together with the answer, in one write.

        Raises:
            LeaseLost: Another worker holds the lease; nothing may be sent.
        """
        try:
            self.store.record_intent(lease, intent, answer)
        except ConditionFailed as failed:
            # The SDK repeats a write whose answer was lost, and then finds the write itself.
            found = failed.record
            if not found or found.status is not Status.SENDING or found.owner != lease.owner:
                raise LeaseLost("lease_lost", Step.SEND) from failed

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:
        """Store what was wrong with the AI's first answer.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        try:
            self.store.reject_draft(lease, rejected)
        except ConditionFailed as failed:
            raise LeaseLost("lease_lost", Step.AI) from failed

    def clear_discarded(self, lease: Lease) -> None:
        """Remove the conversations that were deleted at OpenAI.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        try:
            self.store.clear_discarded(lease)
        except ConditionFailed as failed:
            raise LeaseLost("lease_lost", Step.AI) from failed

    def hold_draft(self, lease: Lease, draft: HeldDraft) -> None:
        """Hold a draft for an operator; the lease ends.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        try:
            self.store.hold_draft(lease, draft)
        except ConditionFailed as failed:
            # The SDK repeats a write whose answer was lost, and then finds the write itself.
            if not failed.record or failed.record.drafts.held_id != draft.id:
                raise LeaseLost("lease_lost", Step.HOLD) from failed

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Store an answer that cannot be sent now, so that a later attempt uses it.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        try:
            self.store.checkpoint_answer(lease, answer)
        except ConditionFailed as failed:
            raise LeaseLost("lease_lost", Step.AI) from failed


def _follow(action: NextAction, lease: Lease, found: LedgerRecord) -> Lease | LedgerRecord:
    match action:
        case NextAction.RESUME:
            return replace(lease, attempt=found.attempt, answer=found.answer, drafts=found.drafts)
        case NextAction.BACK_OFF:
            remaining = found.lease_expires_at - lease.started_at
            raise LeaseHeld("lease_held", Step.CLAIM, retry_in=remaining)
        case NextAction.REJECT:
            raise TerminalState(f"already_{found.status}", Step.CLAIM)
        case _:
            return found


class LeaseGuard:
    """Renews one lease with each heartbeat, and checks it locally before a request is billed.

    Only a conditional write proves who holds a lease. The local check costs no call and stops a
    worker that was delayed for longer than its lease or could not renew it.
    """

    def __init__(self, leases: LeaseManager, lease: Lease) -> None:
        self._leases = leases
        self._lease = lease
        self._expires_at = lease.expires_at

    def renew(self) -> None:
        """Extend the lease from now on.

        Raises:
            LeaseLost: Another worker holds the lease.
        """
        try:
            self._expires_at = self._leases.renew(self._lease)
        except LeaseLost:
            self._expires_at = 0.0
            raise

    def check(self) -> None:
        """Make sure that the lease is valid.

        Raises:
            LeaseLost: The lease has expired.
        """
        if self._leases.clock() >= self._expires_at:
            raise LeaseLost("lease_lapsed", Step.AI)
