"""The channel's queue as its event source mapping, and the judge, see it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from tests.faults.grid.services import AWS_ACCOUNT, REGION, Services
from tests.faults.rules import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

VISIBILITY_SECONDS = 1080
"""As deployed: six times the function's timeout."""


@dataclass(frozen=True)
class QueueView:
    """A queue and its dead-letter queue in moto, looked at from within.

    Attributes:
        services: Where they are.
        name: The queue's name.
        max_receive_count: Deliveries before a message becomes a dead letter.
    """

    services: Services
    name: str
    max_receive_count: int

    def create(self) -> None:
        """Make both queues."""
        self.services.aws("AmazonSQS.CreateQueue", QueueName=self._dead_name)
        arn = f"arn:aws:sqs:{REGION}:{AWS_ACCOUNT}:{self._dead_name}"
        policy = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{self.max_receive_count}}}'
        self.services.aws(
            "AmazonSQS.CreateQueue",
            QueueName=self.name,
            Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": policy},
        )

    def send(self, body: str) -> str:
        """Put a message on the queue, and return its id."""
        with self.services.aws_lock:
            return self._backend.send_message(self.name, body).id

    def receive(self) -> dict[str, Any] | None:
        """Receive a message that is visible now, as a record of an SQS event."""
        with self.services.aws_lock:
            received = self._backend.receive_message(self.name, 1, 0, VISIBILITY_SECONDS)
        return _record(received[0]) if received else None

    def delete(self, receipt_handle: str) -> None:
        """Delete a message, as is done with those that the handler does not report."""
        with self.services.aws_lock:
            self._queue.delete_message(receipt_handle)

    def next_visible(self) -> float | None:
        """When the next message is, or was, to be seen; None if there is none on the queue."""
        times = [message.visible_at / 1000 for message in self._queue._messages]
        return min(times, default=None)

    def count_visible(self) -> int:
        """How many messages are to be seen now."""
        return sum(message.visible for message in self._queue._messages)

    def seconds_until_visible(self, message_id: str) -> float | None:
        """How long until a message is to be seen again; None if it is not on the queue."""
        times = {message.id: message.visible_at / 1000 for message in self._queue._messages}
        return times[message_id] - self.services.time.now if message_id in times else None

    def place(self, message_id: str) -> Place:
        """Where a message is."""
        found = {message.id: message for message in self._queue._messages}
        if message_id in found:
            return Place.ON_QUEUE if found[message_id].visible else Place.IN_FLIGHT
        is_dead = message_id in {message.id for message in self._dead._messages}
        return Place.DEAD if is_dead else Place.DELETED

    def dead(self) -> int:
        """How many dead letters there are."""
        return len(self._dead._messages)

    def redrive(self) -> None:
        """Move every dead letter back, as a message that was never received."""
        with self.services.aws_lock:
            letters, self._dead._messages = list(self._dead._messages), []
            for letter in letters:
                letter.approximate_receive_count = 0
                letter.visible_at = 0.0
                self._queue.add_message(letter)

    @property
    def _dead_name(self) -> str:
        return f"{self.name}-dead"

    @property
    def _backend(self) -> SQSBackend:
        return sqs_backends[AWS_ACCOUNT][REGION]

    @property
    def _queue(self) -> Queue:
        return self._backend.get_queue(self.name)

    @property
    def _dead(self) -> Queue:
        return self._backend.get_queue(self._dead_name)


def _record(message: Message) -> dict[str, Any]:
    attributes: Mapping[str, str] = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{AWS_ACCOUNT}:queue",
        "awsRegion": REGION,
    }
