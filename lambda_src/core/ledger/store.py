"""The port on the conversations table: one method per conditional write."""

from typing import Protocol

from lambda_src.core.ledger.records import (
    DeliveryChange,
    DeliveryRecord,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    RejectedDraft,
    SentRecord,
)
from lambda_src.core.models import Answer, ContextObject, RecordKey


class LedgerStore(Protocol):
    """The conversations table's conditional writes.

    Every method raises `LedgerUnavailable` if the table does not answer, `LedgerRefused` if it
    refuses the request, and, if the write has a condition, `ConditionFailed` with the record found.

    Acquiring a lease checks the recipient in the same write: it raises `RecipientSuppressed` for an
    opt-out from the channel, and `RecipientErased` for an erasure after the message was requested.
    """

    def create(self, context: ContextObject, lease: Lease) -> None:
        """Write the first record with its lease, unless a record exists."""

    def take_over(self, lease: Lease, found: LedgerRecord) -> None:
        """Write a new lease into a record, if it is unchanged since it was found."""

    def renew(self, lease: Lease, expires_at: float) -> None:
        """Extend the lease, while `processing` under the same lease."""

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Store the AI's answer, while `processing` under the same lease."""

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:
        """Store what was wrong with the AI's first answer, while `processing` under the lease.

        Its conversation at OpenAI is added to those that are to be deleted.
        """

    def clear_discarded(self, lease: Lease) -> None:
        """Remove the conversations that were deleted at OpenAI, while `processing` under it."""

    def hold_draft(self, lease: Lease, draft: HeldDraft) -> None:
        """Change `processing` to `awaiting_approval` under the lease, and store the draft.

        The record does not expire while its draft is held.
        """

    def record_intent(self, lease: Lease, intent: Intent, answer: Answer) -> None:
        """Change `processing` to `sending` while the lease is valid, and store the answer.

        The intent's id becomes the current one and is added to the record's ids.
        """

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the vendor id, while `sending` or `send_unknown`.

        The delivery status becomes `queued`, unless there is one already, and is to be looked up.
        """

    def record_failure(self, lease: Lease, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` under the same lease.

        `sending` is included, since the intent's write may have been applied although its answer
        was lost, and since a vendor may refuse a message definitely. If the failure suppresses, the
        recipient is suppressed by the same write.
        """

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, requested_at: float
    ) -> None:
        """Write `failed` for a rejected context object, unless a record exists.

        Raises:
            RecipientErased: The recipient was erased after the request.
        """

    def mark_failed_if_unchanged(self, found: LedgerRecord, failure: Failure) -> None:
        """Write `failed` into a record without a lease, if it is unchanged since it was found."""

    def count_lookup(self, key: RecordKey, found: LedgerRecord) -> None:
        """Count one more lookup of a `sending` record at the vendor."""

    def mark_unknown(self, key: RecordKey, failure: Failure, found: LedgerRecord) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""

    def related_records(self, key: RecordKey) -> tuple[LedgerRecord, ...]:
        """Return the recipient's other conversations that have a vendor id or may yet get one.

        The latter are `sending` and `send_unknown`. `failure_code` is not filled in.
        """


class DeliveryStore(Protocol):
    """The conversations table as the events worker uses it; raises the same errors."""

    def read_delivery(self, key: RecordKey) -> DeliveryRecord | None:
        """Return a record, read consistently; None if there is none.

        Raises:
            UnrecognizedRecord: The record is not in a state of this ledger.
        """

    def record_delivery(self, found: DeliveryRecord, change: DeliveryChange) -> None:
        """Write what an event changes, if the record is unchanged since it was found.

        A late opt-out suppresses the recipient in the same write.
        """

    def schedule_lookup(self, found: DeliveryRecord, at: float | None) -> None:
        """Change when the vendor is to be asked (epoch seconds; None: never), if it is unchanged.

        Nothing else of the record changes.
        """

    def suppress(self, recipient: str, code: str, at: float) -> None:
        """Suppress a recipient of the channel, who opted out at that time (epoch seconds).

        An existing suppression is unchanged, as is a recipient whom an operator allowed since.
        """
