"""The event source mapping in virtual time, over moto's queue and the real handler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from moto.sqs.models import Queue, sqs_backends

from lambda_src import index
from lambda_src.core.batch import BatchHandler
from local.stand_ins.aws import ACCOUNT, DEAD_LETTERS, QUEUE, REGION
from local.stand_ins.virtual import VirtualClock, going_by
from tests.services.channel import Channel

AN_INSTANT = 0.002
"""Seconds after which moto shows what is to be visible now."""


@dataclass
class EventSource:
    """Feeds the handler from the channel's queue and deletes what it does not report.

    Attributes:
        alter: What is changed about the handler beside its clock.
        receives: How often each message was received, as the queue counts it, in order.
        waits: How long the queue then hid each message that the handler reported, in seconds.
    """

    channel: Channel
    clock: VirtualClock
    patch: pytest.MonkeyPatch
    alter: Callable[[BatchHandler], BatchHandler] = lambda handler: handler
    receives: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patch.setattr("moto.sqs.models.unix_time", self.clock)
        self.patch.setattr("moto.sqs.models.unix_time_millis", lambda: self.clock() * 1000)
        build = index.batch_handler
        self.patch.setattr(
            index, "batch_handler", cache(lambda: self.alter(going_by(self.clock, build())))
        )

    def put(self, *bodies: str) -> None:
        """Put messages on the queue."""
        for body in bodies:
            self.channel.sqs.send_message(QueueUrl=self.channel.queue_url, MessageBody=body)

    def poll(self) -> int:
        """Receive what is visible, let the handler work, delete what it does not report.

        Returns:
            How many messages were received.
        """
        answer = self.channel.sqs.receive_message(
            QueueUrl=self.channel.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["ApproximateReceiveCount"],
        )
        messages = answer.get("Messages", [])
        if messages:
            self._invoke(messages)
        return len(messages)

    def run(self, most: int = 50) -> None:
        """Let the virtual time pass until nothing is left on the queue."""
        for _ in range(most):
            self.clock.advance(max(0.0, *self.visible_in(), 0.0) + AN_INSTANT)
            self.poll()
            if not self.visible_in():
                return
        raise AssertionError(f"still on the queue after {most} polls")

    def visible_in(self) -> list[float]:
        """Seconds until each message on the queue is visible."""
        return [message.visible_at / 1000 - self.clock() for message in _queue(QUEUE)._messages]

    def dead_letters(self) -> list[str]:
        """The bodies in the dead-letter queue."""
        return [message.body for message in _queue(DEAD_LETTERS)._messages]

    def _invoke(self, messages: Sequence[Any]) -> None:
        failed = self.channel.hand_over(messages)
        for message in messages:
            self.receives.append(int(message["Attributes"]["ApproximateReceiveCount"]))
            if message["MessageId"] not in failed:
                self.channel.delete(message)
        self.waits.extend(self.visible_in())


def _queue(name: str) -> Queue:
    return sqs_backends[ACCOUNT][REGION].queues[name]
