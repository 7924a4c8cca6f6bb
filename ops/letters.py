"""The dead-letter queue, walked from end to end without losing its place or a letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from mypy_boto3_sqs import SQSClient

LOOK_SECONDS = 600
"""How long a letter is out of others' sight after this process died with it in its hands."""
POLL_SECONDS = 1
"""A long poll asks every server of the queue: when it finds nothing, nothing is visible."""
BATCH = 10


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, as received.

    Attributes:
        message_id: SQS's id of it in this queue.
        receipt_handle: SQS's handle of this receive.
        body: The context object's JSON text, or whatever was sent.
        group: The tenant that it was sent for, empty if it was sent for none.
        sent_at: When it was put on the channel's queue, in epoch seconds.
    """

    message_id: str
    receipt_handle: str
    body: str
    group: str
    sent_at: float


class Letters:
    """Takes each letter in hand once; those not removed are seen again by others at the end.

    What is kept in memory is the ids of the letters, not the letters.

    Args:
        client: An SQS client.
        url: The dead-letter queue's.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url
        self._in_hand: dict[str, str] = {}
        self._removed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.show_again()

    def count(self) -> int:
        """About how many letters there are, those in somebody's hands included."""
        return sum(self._numbers().values())

    def in_flight(self) -> int:
        """About how many letters are in somebody's hands, or not to be seen for a while."""
        return self._numbers()["ApproximateNumberOfMessagesNotVisible"]

    def batches(self) -> Iterator[list[Letter]]:
        """Every letter once, a few at a time, until nothing more is visible."""
        while received := self._receive():
            new = [letter for letter in received if self._take(letter)]
            if new:
                yield new

    def remove(self, letter: Letter) -> None:
        """Delete a letter; it must be on the channel's queue, or done with, by now."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)
        self._in_hand.pop(letter.message_id, None)
        self._removed.add(letter.message_id)

    def _numbers(self) -> dict[str, int]:
        attributes = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
        return {name: int(number) for name, number in attributes.items()}

    def _receive(self) -> list[Letter]:
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=LOOK_SECONDS,
            WaitTimeSeconds=POLL_SECONDS,
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
        )
        return [_letter(message) for message in answer.get("Messages", [])]

    def _take(self, letter: Letter) -> bool:
        """Whether a letter is a new one; of one that came back the newer receipt holds."""
        is_new = letter.message_id not in self._in_hand and letter.message_id not in self._removed
        self._in_hand[letter.message_id] = letter.receipt_handle
        return is_new

    def show_again(self) -> None:
        """Let others, and another walk, see all letters in hand."""
        handles = list(self._in_hand.values())
        for start in range(0, len(handles), BATCH):
            self._show(handles[start : start + BATCH])
        self._in_hand.clear()

    def _show(self, handles: Sequence[str]) -> None:
        self._client.change_message_visibility_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for index, handle in enumerate(handles)
            ],
        )


def _letter(message: Any) -> Letter:
    attributes = message.get("Attributes", {})
    return Letter(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        group=attributes.get("MessageGroupId", ""),
        sent_at=int(attributes.get("SentTimestamp", 0)) / 1000,
    )
