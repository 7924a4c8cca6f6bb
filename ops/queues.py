"""The channel's queues: send a context object, and scan every message of a queue once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from mypy_boto3_sqs import SQSClient

SCAN_VISIBILITY_SECONDS = 600
"""How long a received message stays invisible to others if this process is killed."""
POLL_SECONDS = 1
"""A long poll queries every server of the queue, so an empty result means nothing is visible."""
BATCH = 10

_GROUP = re.compile(r"[!-~]{1,128}")


def message_group(company_id: str) -> str:
    """Return the message group of a tenant, so that SQS serves tenants fairly.

    SQS accepts 128 printable ASCII characters
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html);
    another id is replaced by its SHA-256 digest.
    """
    if _GROUP.fullmatch(company_id):
        return company_id
    return hashlib.sha256(company_id.encode()).hexdigest()


@dataclass(frozen=True)
class ChannelQueue:
    """The queue that the channel's function consumes.

    Attributes:
        client: An SQS client.
        url: The queue's URL.
    """

    client: SQSClient
    url: str

    def send(self, body: str, company_id: str) -> str:
        """Send a context object in its tenant's message group, if any; return the message id."""
        group: dict[str, Any] = {"MessageGroupId": message_group(company_id)} if company_id else {}
        return self.client.send_message(QueueUrl=self.url, MessageBody=body, **group)["MessageId"]


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as received.

    Attributes:
        message_id: SQS's id in this queue.
        receipt_handle: SQS's handle of this receive.
        body: A context object as JSON, or whatever else was sent.
        group: The tenant's message group, empty if there is none.
        sent_at: When it was sent to the channel's queue, in epoch seconds.
    """

    message_id: str
    receipt_handle: str
    body: str
    group: str
    sent_at: float


class QueueScanner:
    """Receives each visible message of a queue once; on exit those not deleted are visible again.

    Only message ids are kept in memory, not bodies.

    Args:
        client: An SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url
        self._held: dict[str, str] = {}
        self._deleted: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def count(self) -> int:
        """Return the approximate number of messages, including those in flight."""
        return sum(self._counts().values())

    def in_flight(self) -> int:
        """Return the approximate number of messages that are not visible: received, or delayed."""
        counts = self._counts()
        return sum(counts.values()) - counts["ApproximateNumberOfMessages"]

    def batches(self) -> Iterator[list[QueueMessage]]:
        """Yield every message once, up to ten at a time, until nothing is visible any more."""
        while received := self._receive():
            new = [message for message in received if self._hold(message)]
            if new:
                yield new

    def delete(self, message: QueueMessage) -> None:
        """Delete a message that is sent on or closed."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt_handle)
        self._held.pop(message.message_id, None)
        self._deleted.add(message.message_id)

    def release(self) -> None:
        """Make all held messages visible again, to others and to another scan."""
        handles = list(self._held.values())
        for start in range(0, len(handles), BATCH):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for index, handle in enumerate(handles[start : start + BATCH])
                ],
            )
        self._held.clear()

    def _counts(self) -> dict[str, int]:
        attributes = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )["Attributes"]
        return {name: int(number) for name, number in attributes.items()}

    def _receive(self) -> list[QueueMessage]:
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=SCAN_VISIBILITY_SECONDS,
            WaitTimeSeconds=POLL_SECONDS,
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
        )
        return [_message(received) for received in response.get("Messages", [])]

    def _hold(self, message: QueueMessage) -> bool:
        """Hold a message, by its newest receipt handle; return whether it is a new one."""
        is_new = message.message_id not in self._held and message.message_id not in self._deleted
        self._held[message.message_id] = message.receipt_handle
        return is_new


def _message(received: Any) -> QueueMessage:
    attributes = received.get("Attributes", {})
    return QueueMessage(
        message_id=received["MessageId"],
        receipt_handle=received["ReceiptHandle"],
        body=received["Body"],
        group=attributes.get("MessageGroupId", ""),
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
    )
