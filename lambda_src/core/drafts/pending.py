"""Parts of the scheduled job: how long drafts are held, and messages whose draft was approved."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from lambda_src.core.contract import (
    APPROVED_QUEUED_AFTER_SECONDS,
    LogEvent,
    Metric,
    OpenWork,
    Step,
)
from lambda_src.core.drafts.rebuild import first_asked_at, rebuild_context
from lambda_src.core.errors import ProcessingError, unexpected_error
from lambda_src.core.ledger import ConditionFailed
from lambda_src.core.models import RecordKey
from lambda_src.core.ports import Clock, Metrics, OpenWorkIndex

log = logging.getLogger(__name__)


class ApprovedRecords(OpenWorkIndex, Protocol):
    """The index of open work, and the approved records that it lists."""

    def read_approved(self, key: RecordKey, since: float) -> Mapping[str, Any] | None:
        """Return a record's attributes, read consistently.

        Returns:
            None if its mark is another by now, or it was sent.
        """

    def postpone_approved(self, key: RecordKey, since: float, until: float) -> None:
        """Change when an approved record is due, in epoch seconds.

        Raises:
            ConditionFailed: Its mark is another by now.
        """


class ContextQueue(Protocol):
    """The channel's queue, as the scheduled job uses it."""

    def send(self, body: str, company_id: str, asked_at: int) -> None:
        """Put a context object on the queue.

        Args:
            body: The context object as JSON.
            company_id: The company, which is the message group.
            asked_at: When it was first asked for, in epoch milliseconds.

        Raises:
            TransientFailure: The queue did not answer, or refused the request.
        """


@dataclass(frozen=True, slots=True)
class HeldDrafts:
    """Publishes how long the oldest held draft has been waiting for an operator.

    Attributes:
        index: The channel's records by what remains to be done.
        metrics: Receives the age.
        clock: Returns the time in epoch seconds.
    """

    index: OpenWorkIndex
    metrics: Metrics
    clock: Clock

    def run(self, deadline: float) -> None:  # noqa: ARG002 - one request for each shard
        """Publish the age in seconds, 0 if no draft is held."""
        now = self.clock()
        oldest = next(iter(self.index.due(OpenWork.HELD, now)), None)
        age = round(now - oldest[0]) if oldest else 0
        self.metrics.publish({Metric.OLDEST_DRAFT_SECONDS: age}, {})


@dataclass(frozen=True, slots=True)
class ApprovedDrafts:
    """Puts messages on the channel's queue that were approved and not sent since.

    A second copy is harmless, since the ledger decides about each delivery. The mark of a record is
    moved by a day by the worker that acquires it, whose own queue message may be deleted by then.
    It is removed when the message is sent or fails; each run that finds it due sends a copy.

    Attributes:
        records: The channel's records.
        queue: The channel's queue.
        metrics: Receives the run's number.
        clock: Returns the time in epoch seconds.
    """

    records: ApprovedRecords
    queue: ContextQueue
    metrics: Metrics
    clock: Clock

    def run(self, deadline: float) -> None:
        """Send a copy for each record that is due; one that fails does not prevent the others.

        Raises:
            ProcessingError: The first failure.
        """
        due = list(self.records.due(OpenWork.APPROVED, self.clock()))
        queued, errors = 0, []
        for since, key in due:
            if self.clock() > deadline:
                break  # the rest remains due
            try:
                queued += self._queue(key, since)
            except Exception as raised:  # noqa: BLE001 - its text might contain an address
                errors.append(_logged(unexpected_error(raised, Step.DELIVERY), key))
        log.info(
            "approved messages queued",
            extra={
                "event": LogEvent.APPROVED_DRAFTS_QUEUED,
                "queued": queued,
                "due": len(due),
            },
        )
        self.metrics.publish({Metric.APPROVED_QUEUED: queued}, {})
        if errors:
            raise errors[0]

    def _queue(self, key: RecordKey, since: float) -> bool:
        record = self.records.read_approved(key, since)
        if record is None:
            return False
        self.queue.send(rebuild_context(record), record["company_id"], first_asked_at(record))
        with suppress(ConditionFailed):  # a worker has acquired the record meanwhile
            until = self.clock() + APPROVED_QUEUED_AFTER_SECONDS
            self.records.postpone_approved(key, since, until)
        return True


def _logged(error: ProcessingError, key: RecordKey) -> ProcessingError:
    log.error(
        "an approved message could not be queued: %s",
        error,
        extra={
            "event": str(error.event),
            "conversation_id": key.conversation_id,
            "failure_code": error.code,
            **error.fields,
        },
    )
    return error
