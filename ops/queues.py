"""The channel's queues: send a context object, and scan every message of a queue once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import FIRST_ASKED_AT, first_asked_ms
from lambda_src.services.sqs_service import context_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from mypy_boto3_sqs import SQSClient

SCAN_VISIBILITY_SECONDS = 90
"""How long a received message stays invisible to others at most if this process is killed."""
EXTENSION_SECONDS = 30
"""Seconds between extensions of this time, of which two may fail."""
POLL_SECONDS = 1
"""A long poll queries every server of the queue, so an empty result means nothing is visible."""
BATCH = 10
WORKERS = 10
"""Requests at once that change the visibility of held messages."""


@dataclass(frozen=True)
class ChannelQueue:
    """The queue that the channel's function consumes.

    Attributes:
        client: An SQS client.
        url: The queue's URL.
    """

    client: SQSClient
    url: str

    def send(self, body: str, company_id: str, asked_at: int | None = None) -> str:
        """Send a message in its tenant's message group, if any; return the message id.

        Args:
            body: A context object.
            company_id: The tenant; empty if it is unknown.
            asked_at: When it was first asked for, in epoch milliseconds, if it is sent again.
        """
        parameters = context_message(body, company_id, asked_at)
        return self.client.send_message(QueueUrl=self.url, **parameters)["MessageId"]


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as received.

    Attributes:
        message_id: SQS's id in this queue.
        receipt_handle: SQS's handle of this receive.
        body: A context object as JSON, or whatever else was sent.
        group: The tenant's message group, empty if there is none.
        sent_at: When it was sent to the channel's queue, in epoch seconds.
        asked_at: When it was first asked for, in epoch seconds: earlier, if it was sent again.
    """

    message_id: str
    receipt_handle: str
    body: str
    group: str
    sent_at: float
    asked_at: float


class QueueScanner:
    """Receives each visible message of a queue once; on exit those not deleted are visible again.

    Received messages are held with a short visibility timeout, which a thread extends inside the
    `with` block: so they are visible soon if this process is killed. Only message ids are kept in
    memory, not bodies.

    Args:
        client: An SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url
        self._held: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._changing_visibility = Lock()
        self._ended = Event()
        self._extension = Thread(target=self._extend_held, name="visibility", daemon=True)

    def __enter__(self) -> Self:
        self._extension.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self.release()

    def count(self) -> int:
        """Return the approximate number of messages, including those in flight."""
        return sum(self._counts().values())

    def in_flight(self) -> int:
        """Return the approximate number of messages that others have received, or are delayed.

        While another process has them, no other one can receive them. If it was killed, they are
        visible after `SCAN_VISIBILITY_SECONDS` at the latest.
        """
        counts = self._counts()
        hidden = sum(counts.values()) - counts["ApproximateNumberOfMessages"]
        return max(0, hidden - len(self._held))

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
        with self._changing_visibility:
            self._change_visibility(self._held.values(), 0)
            self._held.clear()

    def _extend_held(self) -> None:
        while not self._ended.wait(EXTENSION_SECONDS):
            # After an error of AWS the next extension may succeed.
            with self._changing_visibility, suppress(ClientError, BotoCoreError):
                self._change_visibility(self._held.values(), SCAN_VISIBILITY_SECONDS)

    def _change_visibility(self, receipt_handles: Iterable[str], seconds: int) -> None:
        handles = list(receipt_handles)

        def change(start: int) -> None:
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for index, handle in enumerate(handles[start : start + BATCH])
                ],
            )

        with ThreadPoolExecutor(WORKERS, thread_name_prefix="visibility") as pool:
            list(pool.map(change, range(0, len(handles), BATCH)))

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
            MessageAttributeNames=[FIRST_ASKED_AT],
        )
        return [_message(received) for received in response.get("Messages", [])]

    def _hold(self, message: QueueMessage) -> bool:
        """Hold a message, by its newest receipt handle; return whether it is a new one."""
        is_new = message.message_id not in self._held and message.message_id not in self._deleted
        self._held[message.message_id] = message.receipt_handle
        return is_new


def _message(received: Any) -> QueueMessage:
    attributes = received.get("Attributes", {})
    sent_at = int(attributes.get("SentTimestamp", 0))
    first_asked = received.get("MessageAttributes", {}).get(FIRST_ASKED_AT, {}).get("StringValue")
    return QueueMessage(
        message_id=received["MessageId"],
        receipt_handle=received["ReceiptHandle"],
        body=received["Body"],
        group=attributes.get("MessageGroupId", ""),
        sent_at=sent_at / 1000,
        asked_at=first_asked_ms(sent_at, first_asked) / 1000,
    )
