"""The soak's messages on the queue and in the dead-letter queue, each by its id."""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable

from mypy_boto3_sqs import SQSClient
from mypy_boto3_sqs.literals import QueueAttributeNameType
from mypy_boto3_sqs.type_defs import MessageTypeDef

from tests.faults.rules import Location
from tests.faults.soak.plan import Arrival, Conversation

MAX_BATCH = 10
HIDDEN_SECONDS = 300
"""How long dead-letter messages are hidden at most while all of them are read."""
COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""Exact ones, on the embedded AWS."""
POLL_SECONDS = 0.5


class NotAtRestError(Exception):
    """Messages were still on the queue when the time for them was over."""


class SoakQueues:
    """What was put on the queue, and where it is."""

    def __init__(self, sqs: SQSClient, queue_url: str, dead_letter_queue_url: str) -> None:
        self._sqs = sqs
        self._queue = queue_url
        self._dead = dead_letter_queue_url
        self._sent: dict[str, Conversation] = {}

    def put(self, arrivals: Iterable[Arrival], *, is_tracked: bool = True) -> None:
        """Put context objects on the queue, each visible at its time."""
        arriving = iter(arrivals)
        while batch := list(itertools.islice(arriving, MAX_BATCH)):
            answer = self._sqs.send_message_batch(
                QueueUrl=self._queue,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": one.conversation.body,
                        "DelaySeconds": one.after,
                    }
                    for number, one in enumerate(batch)
                ],
            )
            for entry in answer["Successful"] if is_tracked else ():
                self._sent[entry["MessageId"]] = batch[int(entry["Id"])].conversation

    def count(self) -> int:
        """Return how many messages are on the queue: visible, in flight or delayed."""
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=COUNTS)
        return sum(int(attributes["Attributes"][name]) for name in COUNTS)

    def await_rest(self, *, quiet: float, timeout: float, tell: Callable[[int], None]) -> None:
        """Wait until nothing has been on the queue for `quiet` seconds.

        `tell` is called again and again with the number of messages.

        Raises:
            NotAtRestError: That has not happened within `timeout` seconds.
        """
        begun = empty_since = time.monotonic()
        while (now := time.monotonic()) - empty_since < quiet:
            count = self.count()
            tell(count)
            if count:
                empty_since = now
            if now - begun > timeout:
                raise NotAtRestError(f"{count} messages on the queue after {timeout:.0f} s")
            time.sleep(min(POLL_SECONDS, quiet))

    def locations(self) -> dict[str, dict[str, Location]]:
        """Return where each message is, by conversation and message id; none is on the queue."""
        found = self._dead_letters()
        self._show(found)
        dead = {message["MessageId"] for message in found}
        locations: dict[str, dict[str, Location]] = defaultdict(dict)
        for id_, conversation in self._sent.items():
            location = Location.DEAD if id_ in dead else Location.DELETED
            locations[conversation.conversation_id][id_] = location
        return locations

    def redrive(self, conversation_ids: Container[str]) -> int:
        """Put these conversations' dead-letter messages on the queue again; return how many."""
        kept: list[MessageTypeDef] = []
        found = self._dead_letters()
        for message in found:
            conversation = self._sent.get(message["MessageId"])
            if conversation and conversation.conversation_id in conversation_ids:
                self.put([Arrival(conversation, 0)])
                handle = message["ReceiptHandle"]
                self._sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=handle)
                del self._sent[message["MessageId"]]
            else:
                kept.append(message)
        self._show(kept)
        return len(found) - len(kept)

    def _dead_letters(self) -> list[MessageTypeDef]:
        """Return every dead-letter message, hidden until it is shown again."""
        found: list[MessageTypeDef] = []
        while batch := self._sqs.receive_message(
            QueueUrl=self._dead, MaxNumberOfMessages=MAX_BATCH, VisibilityTimeout=HIDDEN_SECONDS
        ).get("Messages"):
            found += batch
        return found

    def _show(self, messages: Iterable[MessageTypeDef]) -> None:
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
