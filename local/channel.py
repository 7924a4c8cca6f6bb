"""The deployed channel as its neighbours see it: queue, dead letters, records and log."""

import json
from dataclasses import dataclass
from typing import Any, TypedDict

from boto3.dynamodb.types import TypeDeserializer

from local.aws import Aws
from local.contexts import message_group
from local.function_logs import LogLine, LogTail
from local.resources import Resources

_deserialize = TypeDeserializer().deserialize


class _Grouped(TypedDict, total=False):
    MessageGroupId: str


@dataclass(frozen=True)
class RecordKey:
    """Where a conversation's record stands.

    Attributes:
        primary_channel: the recipient's phone number.
        conversation_id: the conversation's.
    """

    primary_channel: str
    conversation_id: str

    @classmethod
    def of(cls, body: str) -> "RecordKey | None":
        """The key that a context object names; None where it cannot be told."""
        try:
            context = json.loads(body)
            number = context["frontend_payload"]["recipient_data"]["recipient_tel"]
            conversation = context["conversation_data"]["conversation_id"]
        except (ValueError, KeyError, TypeError):
            return None
        if isinstance(number, str) and isinstance(conversation, str):
            return cls(number, conversation)
        return None


class Channel:
    """Sends context objects to the channel, and looks at what becomes of them.

    Args:
        aws: where it is deployed.
        resources: its names.

    Attributes:
        resources: as given.
    """

    def __init__(self, aws: Aws, resources: Resources) -> None:
        self.resources = resources
        self._aws = aws
        self._tail = LogTail(aws, resources.log_group)
        self._lines: list[LogLine] = []

    def send(self, body: str) -> str:
        """Put a context object on the queue, in its company's message group.

        Returns:
            The queue message's id.
        """
        sent = self._aws.sqs.send_message(
            QueueUrl=self.resources.queue_url, MessageBody=body, **_in_group(message_group(body))
        )
        return sent["MessageId"]

    def record(self, key: RecordKey) -> dict[str, Any]:
        """A conversation's record, as plain values; empty while there is none."""
        found = self._aws.dynamodb.get_item(
            TableName=self.resources.table,
            Key={
                "primary_channel": {"S": key.primary_channel},
                "conversation_id": {"S": key.conversation_id},
            },
            ConsistentRead=True,
        )
        return {name: _deserialize(value) for name, value in found.get("Item", {}).items()}

    def log(self) -> list[LogLine]:
        """Every line that the function has logged since the local cloud started."""
        self._lines += self._tail.new_lines()
        return list(self._lines)

    def log_of(self, message_id: str) -> list[dict[str, Any]]:
        """The fields of the lines about one queue message, oldest first."""
        every = (line.fields for line in self.log())
        return [fields for fields in every if fields.get("sqs_message_id") == message_id]

    def dead_letter_count(self) -> int:
        """How many messages are in the dead-letter queue."""
        attributes = self._aws.sqs.get_queue_attributes(
            QueueUrl=self.resources.dead_letter_queue_url,
            AttributeNames=["ApproximateNumberOfMessages"],
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def dead_letters(self) -> dict[str, str]:
        """Bodies of the messages in the dead-letter queue, by id; they stay there."""
        letters: dict[str, str] = {}
        while batch := self._peek():
            letters |= batch
        return letters

    def _peek(self) -> dict[str, str]:
        received = self._aws.sqs.receive_message(
            QueueUrl=self.resources.dead_letter_queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=1,  # long enough to read on behind them, soon there for others
        )
        return {letter["MessageId"]: letter["Body"] for letter in received.get("Messages", [])}


def _in_group(group: str | None) -> "_Grouped":
    return {"MessageGroupId": group} if group else {}
