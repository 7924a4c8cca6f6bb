"""Putting a message down: its record says why, unless the record is not ours to write."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import (
    PermanentFailure,
    ProcessingError,
    RecipientErased,
    RecipientOptedOut,
    RecipientSuppressed,
    Step,
)
from lambda_src.core.ledger import Claim, ConditionFailed, Failure
from lambda_src.core.persistence import write_while_time_allows
from lambda_src.core.ports import Clock, Conversations
from lambda_src.core.telling import tell, tell_unwritten
from lambda_src.core.unforeseen import under_way

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0
"""How long the table may be unavailable before a failure goes unrecorded."""


@dataclass(frozen=True, slots=True)
class PuttingDown:
    """Records failures; a failure to record is logged, and the message still fails as it did."""

    conversations: Conversations
    clock: Clock
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def on_failure(self, claim: Claim, delivery: Delivery) -> Iterator[None]:
        """Tell and record what goes wrong while the context lasts, if the conversation is ours.

        An error nobody foresaw counts as transient: the send itself lets none through.
        """
        try:
            with under_way(Step.CLAIM):
                yield
        except ProcessingError as error:
            self._record(claim, error, delivery)
            raise

    def reject(
        self, key: RecordKey, failure: PermanentFailure, request_id: str | None, asked_at: float
    ) -> None:
        """Record a message refused before its conversation was claimed.

        Raises:
            RecipientErased: The recipient was erased after it was asked for: nothing is recorded.
        """
        recorded = self._failure(failure, Status.FAILED)
        try:
            if isinstance(failure, RecipientSuppressed) and failure.seen:
                self.conversations.turn_away(failure.seen, recorded)
            else:
                self.conversations.record_rejection(key, recorded, request_id, asked_at)
        except ConditionFailed:
            pass  # an earlier message of this conversation has a record, which stays as it is
        except RecipientErased:
            raise
        except ProcessingError as error:
            tell_unwritten(error)

    def _record(self, claim: Claim, error: ProcessingError, delivery: Delivery) -> None:
        if error.recorded_status is None:
            return
        tell(error, delivery)
        failure = self._failure(error, error.recorded_status)
        try:
            # An intent may stand although nothing was sent: only this write can say so.
            write_while_time_allows(
                lambda: self.conversations.record_failure(claim, failure),
                time_left=delivery.time_left,
                sleep=self.sleep,
                patience=PATIENCE_SECONDS,
            )
        except ConditionFailed:
            log.warning("the record is another worker's", extra={"event": LogEvent.LEASE_LOST})
        except ProcessingError as unwritten:
            tell_unwritten(unwritten)

    def _failure(self, error: ProcessingError, status: Status) -> Failure:
        suppresses = isinstance(error, RecipientOptedOut)
        return Failure(status, error.code, error.step, error.detail, self.clock(), suppresses)
