"""All messages of a batch are worked on at once, up to the configured number of them."""

from threading import Barrier, Lock

import pytest

from lambda_src.core import log_context
from lambda_src.core.message import Assignment
from tests.unit.contexts import body, changed
from tests.unit.fakes.world import World

PATIENCE = 5.0
"""Seconds after which a test gives up waiting for a thread that should have come."""


def work(world: World, messages: int, max_concurrency: int) -> list[str]:
    """Work on a batch of that many valid messages."""
    deliveries = [
        world.delivery(
            body(changed("conversation_data.conversation_id", f"conversation-{number}")),
            message_id=f"message-{number}",
        )
        for number in range(messages)
    ]
    return world.batch(max_concurrency).handle(deliveries)


@pytest.mark.parametrize("messages", [2, 10])
def test_all_messages_wait_for_the_ai_at_once(world: World, messages: int) -> None:
    """Only if every message is at the AI at the same time do they pass the barrier."""
    barrier = Barrier(messages, timeout=PATIENCE)
    world.while_writing(barrier.wait)
    assert [] == work(world, messages, max_concurrency=10)
    assert messages == len(world.sender.sent)


class Crowd:
    """Counts who is at work, and the most that ever were."""

    def __init__(self, size: int) -> None:
        self.most = 0
        self._now = 0
        self._lock = Lock()
        self._barrier = Barrier(size, timeout=PATIENCE)

    def join(self) -> None:
        """Come, wait for the others, go."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._barrier.wait()
        with self._lock:
            self._now -= 1
        self._barrier.wait()


def test_no_more_messages_than_configured_are_worked_on(world: World) -> None:
    """Three at a time: the seventh waits for a worker, and all are sent."""
    crowd = Crowd(3)
    world.while_writing(crowd.join)
    assert [] == work(world, 9, max_concurrency=3)
    assert (3, 9) == (crowd.most, len(world.sender.sent))


def test_one_at_a_time_is_possible(world: World) -> None:
    """A concurrency of one works through the batch."""
    crowd = Crowd(1)
    world.while_writing(crowd.join)
    assert [] == work(world, 3, max_concurrency=1)
    assert 1 == crowd.most


def test_each_message_has_its_own_ids_in_the_log(world: World) -> None:
    """While all are at work, every thread knows its own message and conversation."""
    barrier = Barrier(8, timeout=PATIENCE)
    seen: list[tuple[str, str, str]] = []

    def look(assignment: Assignment) -> None:
        barrier.wait()
        ids = log_context.current()
        own = assignment.metadata["conversation_id"]
        seen.append((own, ids["conversation_id"], ids["sqs_message_id"]))

    world.writer.during = look
    work(world, 8, max_concurrency=8)
    expected = {(f"conversation-{n}", f"conversation-{n}", f"message-{n}") for n in range(8)}
    assert expected == set(seen)
    assert {} == log_context.current()
