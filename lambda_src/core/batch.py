"""A batch of deliveries: all at once, each fails alone, none is forgotten."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from lambda_src.core import log_context
from lambda_src.core.backoff import SYSTEM_RANDOM, seconds_until_visible
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError, Step, TransientFailure
from lambda_src.core.flow import MessageFlow, Outcome
from lambda_src.core.ports import Heartbeat, Queue
from lambda_src.core.rejection import RejectedContext
from lambda_src.core.tally import Result, Tally
from lambda_src.core.telling import tell

log = logging.getLogger(__name__)


def threads(workers: int) -> Executor:
    """A pool of threads: the work is waiting."""
    return ThreadPoolExecutor(workers, thread_name_prefix="message")


@dataclass(frozen=True, slots=True)
class BatchHandler:
    """Works on every delivery of a batch at once, up to `max_concurrency` of them.

    `heartbeat` makes one, not yet started, for messages given as message id to receipt handle;
    `backoff_base` is in seconds; `pool` makes an executor for that many messages at once, and
    `random` is where the backoff's jitter comes from: a proof brings its own of both, to decide
    who moves next.
    """

    queue: Queue
    heartbeat: Callable[[Mapping[str, str]], Heartbeat]
    parse: Callable[[str], ContextObject]
    flow: MessageFlow
    tally: Tally
    max_concurrency: int
    backoff_base: float
    pool: Callable[[int], Executor] = threads
    random: Random = SYSTEM_RANDOM

    def handle(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Return the ids of the messages that must not be deleted, in the batch's order."""
        log.info("received", extra={"event": LogEvent.BATCH_RECEIVED, "messages": len(deliveries)})
        heartbeat = self.heartbeat({d.message_id: d.receipt_handle for d in deliveries})
        heartbeat.start()
        try:
            errors = self._work_on_all(deliveries, heartbeat)
        finally:
            unkept = heartbeat.stop()
        self._show_again(deliveries, errors)
        failed = [
            d.message_id for d in deliveries if d.message_id in errors or d.message_id in unkept
        ]
        counts = {"messages": len(deliveries), "failed": len(failed)}
        log.info("finished", extra={"event": LogEvent.BATCH_FINISHED, **counts})
        self.tally.publish(received=len(deliveries), unkept=len(unkept))
        return failed

    def _work_on_all(
        self, deliveries: Sequence[Delivery], heartbeat: Heartbeat
    ) -> dict[str, ProcessingError]:
        workers = max(1, min(self.max_concurrency, len(deliveries)))
        with self.pool(workers) as pool:
            results = list(pool.map(partial(self._work, heartbeat=heartbeat), deliveries))
        pairs = zip(deliveries, results, strict=True)
        return {
            delivery.message_id: result
            for delivery, result in pairs
            if isinstance(result, ProcessingError)
        }

    def _work(self, delivery: Delivery, heartbeat: Heartbeat) -> Result:
        with log_context.bound(sqs_message_id=delivery.message_id):
            try:
                result = self._process(delivery, heartbeat)
            except Exception as error:  # noqa: BLE001 - one message must never fail the batch
                result = _log_unexpected(error)
        self.tally.count(delivery, result)
        return result

    def _process(self, delivery: Delivery, heartbeat: Heartbeat) -> Result:
        try:
            context = self.parse(delivery.body)
        except RejectedContext as rejected:
            with log_context.bound(**_ids_of(rejected)):
                self.flow.reject(rejected)
                tell(rejected, delivery)
                return rejected
        ids = {
            "conversation_id": context.key.conversation_id,
            "request_id": context.request_id,
        }
        with log_context.bound(**ids):
            return self._bring_to_its_end(delivery, context, heartbeat)

    def _bring_to_its_end(
        self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat
    ) -> Result:
        try:
            outcome = self.flow.process(delivery, context, heartbeat)
        except ProcessingError as error:
            tell(error, delivery)
            return error
        except Exception as error:  # noqa: BLE001 - as in `_work`, while the ids are bound
            return _log_unexpected(error)
        if outcome is Outcome.SENT:
            self.tally.measure_since(context.requested_at)
        if outcome is Outcome.ALREADY_PROCESSED:
            log.warning("already processed", extra={"event": LogEvent.ALREADY_PROCESSED})
        return outcome

    def _show_again(
        self, deliveries: Sequence[Delivery], errors: Mapping[str, ProcessingError]
    ) -> None:
        delays = {
            delivery.receipt_handle: seconds_until_visible(
                errors[delivery.message_id],
                delivery.receive_count,
                self.backoff_base,
                self.random,
            )
            for delivery in deliveries
            if delivery.message_id in errors
        }
        if delays:
            self.queue.show_again(delays)


def _ids_of(rejected: RejectedContext) -> dict[str, str]:
    ids = {"request_id": rejected.request_id}
    if rejected.key:
        ids["conversation_id"] = rejected.key.conversation_id
    return {name: value for name, value in ids.items() if value}


def _log_unexpected(error: Exception) -> ProcessingError:
    # Never the exception's text: it may quote a message, a number or a key.
    frames = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    log.error(
        "unexpected error",
        extra={
            "event": LogEvent.UNEXPECTED_ERROR,
            "error_type": type(error).__name__,
            "frames": frames,
        },
    )
    return TransientFailure(LogEvent.UNEXPECTED_ERROR, Step.PARSE, type(error).__name__)
