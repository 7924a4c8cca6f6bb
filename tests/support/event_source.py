"""The event source mapping in virtual time, over moto's queue and the real handler."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from moto.sqs.models import Queue, sqs_backends

from lambda_src import bootstrap, index
from local.fakes.aws import ACCOUNT, DEAD_LETTERS, QUEUE, REGION
from local.fakes.clock import VirtualClock, with_clock
from tests.support.channel import Channel

VISIBLE_DELAY = 0.002
"""Seconds after which moto returns a message that is visible now."""


@dataclass
class EventSource:
    """Invokes the handler with the queue's messages and deletes those that it does not report.

    Attributes:
        receives: How often each message was received, as the queue counts it, in order.
        waits: How long each reported message was then invisible, in seconds.
        seconds_left: The time that the function has at each invocation.
    """

    channel: Channel
    clock: VirtualClock
    patch: pytest.MonkeyPatch
    receives: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    seconds_left: float = 170

    def __post_init__(self) -> None:
        self.patch.setattr("moto.sqs.models.unix_time", self.clock)
        self.patch.setattr("moto.sqs.models.unix_time_millis", lambda: self.clock() * 1000)
        build = index.batch_handler
        self.patch.setattr(index, "batch_handler", cache(lambda: with_clock(self.clock, build())))

    def while_generating(self, action: Callable[[], object]) -> None:
        """Take an action each time that the AI is about to write."""
        generate = bootstrap._LazyGenerator.generate

        def act_and_generate(*args: Any) -> Any:
            action()
            return generate(*args)

        self.patch.setattr(bootstrap._LazyGenerator, "generate", act_and_generate)

    def put(self, *bodies: str) -> None:
        """Put messages on the queue; the clock moves on until they are visible."""
        for body in bodies:
            self.channel.sqs.send_message(QueueUrl=self.channel.queue_url, MessageBody=body)
        self.clock.advance(1)

    def poll(self) -> int:
        """Process the visible messages, and return how many were received."""
        answer = self.channel.sqs.receive_message(
            QueueUrl=self.channel.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["ApproximateReceiveCount"],
        )
        messages = answer.get("Messages", [])
        if messages:
            failed = self.channel.invoke(messages, seconds_left=self.seconds_left)
            for message in messages:
                self.receives.append(int(message["Attributes"]["ApproximateReceiveCount"]))
                if message["MessageId"] not in failed:
                    self.channel.delete(message)
            self.waits.extend(self.visible_in())
        return len(messages)

    def run(self, max_polls: int = 50) -> None:
        """Let the virtual time pass until the queue is empty."""
        for _ in range(max_polls):
            self.clock.advance(max(0.0, *self.visible_in(), 0.0) + VISIBLE_DELAY)
            self.poll()
            if not self.visible_in():
                return
        raise AssertionError(f"the queue is not empty after {max_polls} polls")

    def visible_in(self) -> list[float]:
        """Return the seconds until each message on the queue is visible, in milliseconds' steps."""
        now = self.clock()  # a difference of two large floats is off by a fraction of a microsecond
        return [round(each.visible_at / 1000 - now, 3) for each in _queue(QUEUE)._messages]

    def dead_letters(self) -> list[str]:
        return [message.body for message in _queue(DEAD_LETTERS)._messages]


def _queue(name: str) -> Queue:
    return sqs_backends[ACCOUNT][REGION].queues[name]
