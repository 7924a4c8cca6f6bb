"""Putting a message down: its record says why, unless the record is not ours to write."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.errors import (
    PermanentFailure,
    ProcessingError,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from lambda_src.core.ledger import Claim, ConditionFailed, Failure
from lambda_src.core.ports import Clock, Conversations

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PuttingDown:
    """Records failures; a failure to record is logged, and the message still fails as it did."""

    conversations: Conversations
    clock: Clock

    @contextmanager
    def on_failure(self, claim: Claim, *, may_have_sent: bool) -> Iterator[None]:
        """Record what goes wrong while the context lasts, if the conversation is still ours.

        An error nobody foresaw counts as transient before the send; where the message may have
        gone out by then, as one that leaves its outcome unknown.
        """
        try:
            yield
        except ProcessingError as error:
            self._record(claim, error)
            raise
        except Exception as error:
            unforeseen = _unforeseen(error, may_have_sent=may_have_sent)
            self._record(claim, unforeseen)
            raise unforeseen from error

    def reject(self, key: RecordKey, failure: PermanentFailure, request_id: str | None) -> None:
        """Record a message refused before its conversation was claimed."""
        try:
            self.conversations.record_rejection(
                key, self._failure(failure, Status.FAILED), request_id
            )
        except ConditionFailed:
            pass  # an earlier message of this conversation has a record, which stays as it is
        except ProcessingError as error:
            _log_unwritten(error)

    def _record(self, claim: Claim, error: ProcessingError) -> None:
        if error.recorded_status is None:
            return
        failure = self._failure(error, error.recorded_status)
        try:
            self.conversations.record_failure(claim, failure)
        except ConditionFailed:
            log.warning("the record is another worker's", extra={"event": LogEvent.LEASE_LOST})
        except ProcessingError as unwritten:
            _log_unwritten(unwritten)

    def _failure(self, error: ProcessingError, status: Status) -> Failure:
        return Failure(status, error.code, error.step, error.detail, self.clock())


def _unforeseen(error: Exception, *, may_have_sent: bool) -> ProcessingError:
    kind = type(error).__name__
    if may_have_sent:
        return SendOutcomeUnknown("unexpected_error", Step.SEND, kind)
    return TransientFailure("unexpected_error", Step.AI, kind)


def _log_unwritten(error: ProcessingError) -> None:
    log.error(
        "the failure could not be recorded",
        extra={"event": LogEvent.STATUS_WRITE_FAILED, "failure_code": error.code},
    )
