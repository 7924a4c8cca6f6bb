"""The soak's messages on the queue and in the dead-letter queue, each by its id."""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.rules import Place
from tests.faults.soak.plan import Arrival, Conversation

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LARGEST_BATCH = 10
HIDDEN_SECONDS = 300
"""For so long dead letters are hidden at most, while all of them are looked at."""
COUNTS: "tuple[QueueAttributeNameType, ...]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""Exact ones, on the embedded AWS."""
LOOK_SECONDS = 0.5


class NotAtRestError(Exception):
    """Messages were still on the queue when the time for them was over; says how many."""


@dataclass(frozen=True)
class Letter:
    """A queue message of a conversation, and where it is."""

    message_id: str
    conversation_id: str
    place: Place


class Mail:
    """What was put on the queue, and where it is.

    Args:
        sqs: a client of the queues' service.
        queue_url: the channel's queue.
        dead_letter_queue_url: the one behind it.
    """

    def __init__(self, sqs: "SQSClient", queue_url: str, dead_letter_queue_url: str) -> None:
        self._sqs = sqs
        self._queue = queue_url
        self._dead = dead_letter_queue_url
        self._sent: dict[str, str] = {}

    def put(self, arrivals: Iterable[Arrival], *, is_followed: bool = True) -> None:
        """Put context objects on the queue, each visible at its time.

        Args:
            arrivals: which, and when.
            is_followed: whether anybody will ask where they are.
        """
        arriving = iter(arrivals)
        while batch := list(itertools.islice(arriving, LARGEST_BATCH)):
            answer = self._sqs.send_message_batch(
                QueueUrl=self._queue,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": arrival.conversation.body,
                        "DelaySeconds": arrival.after,
                    }
                    for number, arrival in enumerate(batch)
                ],
            )
            for entry in answer["Successful"] if is_followed else ():
                conversation = batch[int(entry["Id"])].conversation
                self._sent[entry["MessageId"]] = conversation.conversation_id

    def waiting(self) -> int:
        """How many messages are on the queue: visible, in flight or not yet visible."""
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=COUNTS)
        return sum(int(attributes["Attributes"][name]) for name in COUNTS)

    def await_rest(self, *, quiet: float, patience: float, tell: Callable[[int], None]) -> None:
        """Wait until nothing has been on the queue for a while.

        Args:
            quiet: for so many seconds.
            patience: seconds after which it should have been.
            tell: told again and again how many messages there are.

        Raises:
            NotAtRestError: it was not.
        """
        begun = empty_since = time.monotonic()
        while (now := time.monotonic()) - empty_since < quiet:
            waiting = self.waiting()
            tell(waiting)
            if waiting:
                empty_since = now
            if now - begun > patience:
                raise NotAtRestError(f"{waiting} messages on the queue after {patience:.0f} s")
            time.sleep(min(LOOK_SECONDS, quiet))

    def letters(self) -> list[Letter]:
        """Where every message is, when none is on the queue."""
        found = self._dead_letters()
        self._show_again(found)
        dead = {message["MessageId"] for message in found}
        return [
            Letter(message_id, conversation, Place.DEAD if message_id in dead else Place.DELETED)
            for message_id, conversation in self._sent.items()
        ]

    def redrive(self, conversations: Iterable[Conversation]) -> int:
        """Put the dead letters of these conversations on the queue again, as new messages.

        Returns:
            How many there were.
        """
        wanted = {conversation.conversation_id: conversation for conversation in conversations}
        kept: list[MessageTypeDef] = []
        found = self._dead_letters()
        for message in found:
            conversation = wanted.get(self._sent.get(message["MessageId"], ""))
            if conversation:
                self.put([Arrival(conversation, 0)])
                self._delete(message)
            else:
                kept.append(message)
        self._show_again(kept)
        return len(found) - len(kept)

    def _dead_letters(self) -> "list[MessageTypeDef]":
        """Every message in the dead-letter queue, hidden until it is shown again."""
        found: list[MessageTypeDef] = []
        while batch := self._receive():
            found += batch
        return found

    def _receive(self) -> "list[MessageTypeDef]":
        return self._sqs.receive_message(
            QueueUrl=self._dead,
            MaxNumberOfMessages=LARGEST_BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
        ).get("Messages", [])

    def _show_again(self, messages: "Iterable[MessageTypeDef]") -> None:
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )

    def _delete(self, message: "MessageTypeDef") -> None:
        self._sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"])
        del self._sent[message["MessageId"]]
