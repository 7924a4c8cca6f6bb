"""A batch whose function runs out of time: who begins, who is given up, what comes back when."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from threading import Event, Semaphore
from typing import Any

import pytest

from lambda_src.core import timing
from lambda_src.core.batch import BatchHandler, threads
from lambda_src.core.contract import Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.ledger import Claim, Failure
from lambda_src.core.metric_names import Metric
from tests.unit.contexts import body, changed
from tests.unit.fakes.world import World
from tests.unit.log_lines import LogLines

PLENTY = 60.0
"""Seconds that nothing here takes."""


def message(world: World, number: int, receive_count: int = 1) -> Delivery:
    """A delivery of the valid context object of that number's conversation."""
    document = changed("conversation_data.conversation_id", f"conversation-{number}")
    return world.delivery(
        body(document), message_id=f"message-{number}", receive_count=receive_count
    )


@pytest.mark.parametrize("seconds", [0.0, 5.0, timing.BEGIN_SECONDS - 0.1])
def test_without_time_nothing_is_begun(world: World, log_lines: LogLines, seconds: float) -> None:
    """Neither a heartbeat, whose end takes time too: the messages come back at once."""
    world.function_ends_at = world.clock() + seconds
    failed = world.batch().handle([message(world, 1), message(world, 2)])
    assert ["message-1", "message-2"] == failed
    assert [] == [event for event in world.journal if event.startswith("heartbeat")]
    assert ["out_of_time"] * 2 == [e for e in log_lines.events if not e.startswith("batch")]
    assert {} == world.conversations.records


def test_failures_are_shown_again_while_a_moment_is_left(world: World) -> None:
    """So that they come back at once, instead of after the queue's whole visibility."""
    world.function_ends_at = world.clock() + timing.MARGIN_SECONDS + PLENTY / 60
    world.batch().handle([message(world, 1)])
    assert {0, 1} >= set(world.queue.shown_again.values())
    assert 1 == len(world.queue.shown_again)


class Hang:
    """What the AI does until the context ends; `begun` counts those who hang."""

    def __init__(self) -> None:
        self.begun = Semaphore(0)
        self._released = Event()

    def __call__(self, _: object = None) -> None:
        """Hang."""
        self.begun.release()
        self._released.wait(PLENTY)

    def release(self) -> None:
        """Let all go on."""
        self._released.set()


class TimeIsUp(ThreadPoolExecutor):
    """Threads whose time is up when so many of them hang, and so many items are not done."""

    def __init__(self, workers: int, hang: Hang, hanging: int, undone: int) -> None:
        super().__init__(workers)
        self._hang, self._hanging, self._undone = hang, hanging, undone

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        """Work on the items until the time is up."""
        futures = [self.submit(fn, *items) for items in zip(*iterables, strict=True)]
        for _number in range(self._hanging):
            assert self._hang.begun.acquire(timeout=PLENTY)
        done = as_completed(futures, PLENTY)
        for _number in range(len(futures) - self._undone):
            next(done)
        raise TimeoutError


@pytest.fixture
def hang(world: World) -> Iterator[Hang]:
    """The AI hangs."""
    hang = Hang()
    world.writer.during = hang
    yield hang
    hang.release()


def running_out(
    world: World, hang: Hang, *, hanging: int, undone: int, at_once: int = 10
) -> BatchHandler:
    """A batch handler whose time is up when that is so; what its end does is done in time."""
    out_of_time = partial(TimeIsUp, hang=hang, hanging=hanging, undone=undone)
    pools: Iterator[Callable[[int], Executor]] = iter([out_of_time, threads])

    def pool(workers: int) -> Executor:
        return next(pools)(workers)

    return replace(world.batch(at_once), pool=pool)


def test_work_that_hangs_is_given_up(world: World, hang: Hang, log_lines: LogLines) -> None:
    """The batch returns, and says of each message that it was begun and not ended."""
    batch = running_out(world, hang, hanging=2, undone=2)
    assert ["message-1", "message-2"] == batch.handle([message(world, 1), message(world, 2)])
    told = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "cut_off"]
    assert ["message-1", "message-2"] == told
    assert ["heartbeat started", "heartbeat stopped", "visibility set"] == world.journal


def test_what_waits_behind_it_comes_back_at_once(
    world: World, hang: Hang, log_lines: LogLines
) -> None:
    """With one worker for three messages, two were never begun, and nothing of theirs is held."""
    batch = running_out(world, hang, hanging=1, undone=3, at_once=1)
    failed = batch.handle([message(world, number) for number in (1, 2, 3)])
    assert ["message-1", "message-2", "message-3"] == failed
    late = [line["sqs_message_id"] for line in log_lines.all if line["event"] == "out_of_time"]
    assert ["message-2", "message-3"] == late
    seconds = world.queue.shown_again
    assert {0, 1} >= {seconds[f"handle-of-message-{number}-1"] for number in (2, 3)}
    assert {"conversation-1"} == {key.conversation_id for key in world.conversations.records}


def test_what_is_done_counts_although_another_hangs(world: World, hang: Hang) -> None:
    """One message is sent and may be deleted; the one that hangs comes back."""
    world.writer.during = lambda assignment: (
        hang() if assignment.metadata["conversation_id"] == "conversation-1" else None
    )
    batch = running_out(world, hang, hanging=1, undone=1)
    assert ["message-1"] == batch.handle([message(world, 1), message(world, 2)])
    assert 1 == len(world.sender.sent)


def test_work_that_goes_on_after_it_was_given_up_sends_nothing(world: World, hang: Hang) -> None:
    """Its function's time is over, whenever it is thawed: the answer is kept, nothing is sent.

    Nor does its delivery count a second time.
    """
    ended = Event()
    record_failure = world.conversations.record_failure

    def record_and_tell(claim: Claim, failure: Failure) -> None:
        record_failure(claim, failure)
        ended.set()

    world.conversations.record_failure = record_and_tell  # type: ignore[method-assign]
    running_out(world, hang, hanging=1, undone=1).handle([message(world, 1)])
    world.function_ends_at = world.clock()
    hang.release()
    assert ended.wait(PLENTY)
    (record,) = world.conversations.records.values()
    assert (Status.RETRY, 0) == (record.status, world.sender.tries)
    assert record.answer
    assert {Metric.MESSAGES_RETRIED: 1} == world.metrics.ends


def test_those_with_the_fewest_deliveries_left_begin_first(world: World) -> None:
    """A last delivery must settle what it finds: it does not wait behind the others."""
    begun: list[str] = []
    world.writer.during = lambda assignment: begun.append(assignment.metadata["conversation_id"])
    world.queue.receives_allowed = 100
    batch = [message(world, number, receive_count=number) for number in (1, 9, 5)]
    world.batch(1).handle(batch)
    assert ["conversation-9", "conversation-5", "conversation-1"] == begun
