"""A batch of deliveries: all at once, each fails alone, none is forgotten."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from lambda_src.core import log_context, timing
from lambda_src.core.backoff import SYSTEM_RANDOM, seconds_until_visible
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError, Step
from lambda_src.core.flow import MessageFlow, Outcome
from lambda_src.core.in_time import done_within
from lambda_src.core.interruptions import cut_off, out_of_time
from lambda_src.core.ports import Heartbeat, Queue
from lambda_src.core.rejection import RejectedContext
from lambda_src.core.tally import Result, Tally
from lambda_src.core.telling import tell
from lambda_src.core.unforeseen import under_way

log = logging.getLogger(__name__)

T = TypeVar("T")


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
        if all(map(_is_in_time, deliveries)):
            results, unkept = self._work_and_keep(deliveries)
        else:  # nor is there time for a heartbeat to end
            results = {d.message_id: out_of_time(d) for d in deliveries}
            unkept = frozenset()
        errors = {id_: end for id_, end in results.items() if isinstance(end, ProcessingError)}
        self._show_again(deliveries, errors)
        failed = [
            d.message_id for d in deliveries if d.message_id in errors or d.message_id in unkept
        ]
        counts = {"messages": len(deliveries), "failed": len(failed)}
        log.info("finished", extra={"event": LogEvent.BATCH_FINISHED, **counts})
        self.tally.publish(deliveries, results, unkept=len(unkept))
        return failed

    def _work_and_keep(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[dict[str, Result], frozenset[str]]:
        heartbeat = self.heartbeat({d.message_id: d.receipt_handle for d in deliveries})
        heartbeat.start()
        try:
            results = self._work_on_all(deliveries, heartbeat)
        finally:
            unkept = heartbeat.stop()
        return results, unkept

    def _work_on_all(
        self, deliveries: Sequence[Delivery], heartbeat: Heartbeat
    ) -> dict[str, Result]:
        begun: set[str] = set()
        results: dict[str, Result] = {}

        def work(delivery: Delivery) -> None:
            begun.add(delivery.message_id)
            results[delivery.message_id] = self._work(delivery, heartbeat)

        # Those with the fewest deliveries left begin first: a last one must not come too late.
        urgent_first = sorted(deliveries, key=lambda delivery: -delivery.receive_count)
        self._do(work, urgent_first, _seconds_left(deliveries) - timing.CUT_OFF_SECONDS)
        done = dict(results)
        for delivery in deliveries:
            if delivery.message_id not in done:
                give_up = cut_off if delivery.message_id in begun else out_of_time
                done[delivery.message_id] = give_up(delivery)
        return done

    def _do(self, work: Callable[[T], object], items: Sequence[T], seconds: float) -> bool:
        workers = max(1, min(self.max_concurrency, len(items)))
        return done_within(seconds, work, items, self.pool(workers))

    def _work(self, delivery: Delivery, heartbeat: Heartbeat) -> Result:
        if not _is_in_time(delivery):
            return out_of_time(delivery)
        with log_context.bound(sqs_message_id=delivery.message_id):
            try:
                with under_way(Step.PARSE):  # one message must never fail the batch
                    return self._process(delivery, heartbeat)
            except ProcessingError as error:
                tell(error, delivery)
                return error

    def _process(self, delivery: Delivery, heartbeat: Heartbeat) -> Result:
        try:
            context = self.parse(delivery.body)
        except RejectedContext as rejected:
            with log_context.bound(**_ids_of(rejected)):
                return self._reject(delivery, rejected)
        ids = {
            "conversation_id": context.key.conversation_id,
            "request_id": context.request_id,
        }
        with log_context.bound(**ids):
            return self._bring_to_its_end(delivery, context, heartbeat)

    def _reject(self, delivery: Delivery, rejected: RejectedContext) -> ProcessingError:
        end: ProcessingError = rejected
        try:
            self.flow.reject(delivery, rejected)
        except ProcessingError as instead:
            end = instead
        tell(end, delivery)
        return end

    def _bring_to_its_end(
        self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat
    ) -> Result:
        try:
            outcome = self.flow.process(delivery, context, heartbeat)
        except ProcessingError as error:
            tell(error, delivery)
            return error
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
        if not delays:
            return
        seconds = _seconds_left(deliveries) - timing.MARGIN_SECONDS
        if not self._do(self.queue.show_again, [delays], seconds):
            log.warning(
                "no time was left to show failed messages again",
                extra={"event": LogEvent.VISIBILITY_CHANGE_FAILED, "messages": len(delays)},
            )


def _ids_of(rejected: RejectedContext) -> dict[str, str]:
    ids = {"request_id": rejected.request_id}
    if rejected.key:
        ids["conversation_id"] = rejected.key.conversation_id
    return {name: value for name, value in ids.items() if value}


def _seconds_left(deliveries: Sequence[Delivery]) -> float:
    return min((delivery.time_left() for delivery in deliveries), default=0.0)


def _is_in_time(delivery: Delivery) -> bool:
    return delivery.time_left() >= timing.BEGIN_SECONDS
