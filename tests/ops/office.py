"""The person on duty at work: a channel, its dead letters, and the tool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambda_src import index
from lambda_src.core.context import ContextObject
from tests.alarms.stories import lose_a_send
from tests.ops.tool import Tool
from tests.services.channel import Channel


@dataclass(frozen=True)
class Office(Tool):
    """A deployed channel in the made-up account.

    Attributes:
        channel: The channel, with its handler and the vendors' stand-ins.
        dead_letter_queue_url: Its dead-letter queue.
    """

    channel: Channel
    dead_letter_queue_url: str

    def parse(self, body: str) -> ContextObject:
        """Read a body as the function does."""
        return index.batch_handler().parse(body)

    def bury(self, *bodies: str) -> None:
        """Put letters into the dead-letter queue."""
        for start in range(0, len(bodies), 10):
            self.channel.sqs.send_message_batch(
                QueueUrl=self.dead_letter_queue_url,
                Entries=[
                    {"Id": str(number), "MessageBody": body}
                    for number, body in enumerate(bodies[start : start + 10])
                ],
            )

    def dead_letters(self) -> list[str]:
        """The bodies in the dead-letter queue; they stay visible there."""
        return _bodies(self.channel, self.dead_letter_queue_url)

    def queued(self) -> list[str]:
        """The bodies on the channel's queue."""
        return _bodies(self.channel, self.channel.queue_url)

    def work_off(self) -> int:
        """Let the function work on all that is on the queue; what fails is a dead letter again.

        Returns:
            How many messages it was given.
        """
        total = 0
        while messages := self._received():
            self._hand_over(messages)
            total += len(messages)
        return total

    def lose_a_send(self) -> None:
        """Let a send end unknown, in the conversation `lost`, whose letter is dead."""
        lose_a_send(self.channel)

    def let_hours_pass(self, conversation: str, hours: float = 2) -> None:
        """Let a conversation's send have been announced so long ago."""
        at = self.channel.record(conversation)["send_intent_at"] - int(hours * 3600)
        self.channel.set_fields(conversation, send_intent_at=at, send_deadline=at + 15)

    def _received(self) -> Sequence[Any]:
        return self.channel.sqs.receive_message(
            QueueUrl=self.channel.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["ApproximateReceiveCount"],
        ).get("Messages", [])

    def _hand_over(self, messages: Sequence[Any]) -> None:
        failed = self.channel.hand_over(messages)
        for message in messages:
            if message["MessageId"] in failed:
                self.bury(message["Body"])
            self.channel.delete(message)


def _bodies(channel: Channel, url: str) -> list[str]:
    bodies = []
    while messages := channel.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
    ).get("Messages"):
        bodies += [(message["Body"], message["ReceiptHandle"]) for message in messages]
    for _, handle in bodies:
        channel.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0
        )
    return [body for body, _ in bodies]
