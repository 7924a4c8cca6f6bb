"""A part of the scheduled job: lookups at the vendor of messages whose status is overdue."""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from lambda_src.core.contract import SCHEDULE_SECONDS, LogEvent, Metric, OpenWork, Step
from lambda_src.core.deadlines import map_with_deadline
from lambda_src.core.errors import TransientFailure
from lambda_src.core.models import RecordKey
from lambda_src.core.ports import Clock, Metrics, OpenWorkIndex, RequestQueue

log = logging.getLogger(__name__)

BATCH_SIZE = 10
"""SQS's limit for the messages of one request."""
CONCURRENT_BATCHES = 10


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

        pool = ThreadPoolExecutor(CONCURRENT_BATCHES, thread_name_prefix="request")
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
