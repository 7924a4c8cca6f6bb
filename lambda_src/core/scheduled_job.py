"""The scheduled job and its parts: everything that is looked after every quarter of an hour.

They are the age of held drafts, messages whose draft was approved, and lookups at the vendor of
messages whose delivery status is overdue.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from lambda_src.core import time_budget
from lambda_src.core.contract import (
    APPROVED_QUEUED_AFTER_SECONDS,
    SCHEDULE_SECONDS,
    LogEvent,
    Metric,
    OpenWork,
    Step,
)
from lambda_src.core.deadlines import map_with_deadline, thread_pool
from lambda_src.core.drafts.rebuild import first_asked_at, rebuild_context
from lambda_src.core.errors import ProcessingError, TransientFailure, unexpected_error
from lambda_src.core.ledger import ConditionFailed
from lambda_src.core.models import RecordKey
from lambda_src.core.ports import Clock, Metrics, OpenWorkIndex, RequestQueue

log = logging.getLogger(__name__)

BATCH_SIZE = 10
"""SQS's limit for the messages of one request."""
CONCURRENT_BATCHES = 10


class JobPart(Protocol):
    """One part of the job."""

    def run(self, deadline: float) -> None:
        """Do what is due, until a time in epoch seconds; what remains stays due.

        Raises:
            ProcessingError: Not all of it could be done, although there was time.
        """


class JobFailed(Exception):
    """A part of the job failed; the text is a failure code.

    Lambda counts it as an error. What was not done remains due, so the next run does it.
    """


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """Runs its parts one after the other, also after one of them failed.

    Attributes:
        parts: The parts in their order; the last one may need most of the time.
        clock: Returns the time in epoch seconds.
    """

    parts: Sequence[JobPart]
    clock: Clock

    def run(self, remaining_ms: int) -> None:
        """Run each part, which publishes its own metrics.

        Args:
            remaining_ms: Milliseconds until Lambda ends the function.

        Raises:
            JobFailed: The table or a queue did not answer, or refused a request.
        """
        deadline = self.clock() + remaining_ms / 1000 - time_budget.SHUTDOWN_RESERVE_SECONDS
        errors = [error for part in self.parts if (error := _run(part, deadline))]
        if errors:
            raise JobFailed(errors[0].code)


def _run(part: JobPart, deadline: float) -> ProcessingError | None:
    try:
        part.run(deadline)
    except Exception as raised:  # noqa: BLE001 - its text might contain an address
        error = unexpected_error(raised, Step.DELIVERY)
        log.error(  # noqa: TRY400 - never an exception's text
            "a part of the scheduled job failed: %s",
            error,
            extra={
                "event": str(error.event),
                "part": type(part).__name__,
                "failure_code": error.code,
                **error.fields,
            },
        )
        return error
    return None


# --- drafts


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


# --- lookups


@dataclass(frozen=True, slots=True)
class LookupScheduler:
    """Puts lookup requests on a channel's events queue, at a limited rate.

    Attributes:
        index: The channel's records by what remains to be done.
        queue: The events queue.
        metrics: Receives the run's numbers.
        clock: Returns the time in epoch seconds.
        lookups_per_second: The highest rate at which requests become visible on the queue.
    """

    index: OpenWorkIndex
    queue: RequestQueue
    metrics: Metrics
    clock: Clock
    lookups_per_second: int

    def run(self, deadline: float) -> None:
        """Request the lookups that are due, the oldest first, and publish the run's metrics.

        Requests of earlier runs that may still wait count against the rate. What exceeds the rate
        or the time remains due.

        Args:
            deadline: When the run must end, in epoch seconds.

        Raises:
            ProcessingError: The table or the queue did not answer, or refused a request.
        """
        now = self.clock()
        waiting = self.queue.count_waiting()
        allowed = max(0, SCHEDULE_SECONDS * self.lookups_per_second - waiting)
        due = self._due(now, max(1, allowed), deadline)
        oldest_seconds = round(now - due[0][0]) if due else 0
        sent: list[int] = []
        try:
            self._request([key for _, key in due[:allowed]], waiting, sent, deadline)
        finally:
            requested = sum(sent)
            log.info(
                "lookups requested",
                extra={
                    "event": LogEvent.LOOKUPS_SCHEDULED,
                    "requested": requested,
                    "waiting": waiting,
                    "oldest_due_seconds": oldest_seconds,
                },
            )
            counts = {
                Metric.LOOKUPS_REQUESTED: requested,
                Metric.OLDEST_LOOKUP_SECONDS: oldest_seconds,
            }
            self.metrics.publish(counts, {})

    def _due(self, now: float, limit: int, deadline: float) -> list[tuple[float, RecordKey]]:
        due = []
        for found in islice(self.index.due(OpenWork.DELIVERY, now), limit):
            if self.clock() > deadline:
                raise TransientFailure(LogEvent.OUT_OF_TIME, Step.DELIVERY)
            due.append(found)
        return due

    def _request(
        self, keys: Sequence[RecordKey], waiting: int, sent: list[int], deadline: float
    ) -> None:
        delayed = [
            (lookup_request(key), (waiting + position) // self.lookups_per_second)
            for position, key in enumerate(keys)
        ]

        def send(batch: Sequence[tuple[str, int]]) -> None:
            self.queue.send(batch)
            sent.append(len(batch))

        pool = thread_pool(CONCURRENT_BATCHES)
        starts = range(0, len(delayed), BATCH_SIZE)
        batches = [delayed[start : start + BATCH_SIZE] for start in starts]
        map_with_deadline(deadline - self.clock(), send, batches, pool)


def lookup_request(key: RecordKey) -> str:
    """Return the body of a request on the events queue."""
    return json.dumps(
        {
            "lookup": {
                "primary_channel": key.primary_channel,
                "conversation_id": key.conversation_id,
            }
        }
    )
