"""A deployed channel as its users see it: queue, dead-letter queue, records and log."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lambda_src.core import BY_PHONE, OPEN_SINCE, OPEN_WORK, Addressing, OpenWork, RecordKey
from lambda_src.services.dynamodb_service import OpenWorkTable
from local.aws import Aws
from local.contexts import channel_name, company_id, text_at
from local.deployment import Project
from local.emulator.function_logs import LogLine, LogReader
from local.emulator.queue_metrics import queued_messages
from local.errors import LocalCloudError
from ops.queues import ChannelQueue

LONGER_THAN_LOOKUPS = 7 * 24 * 3600
"""Seconds; the last lookup of a message is scheduled 72 hours after its send."""
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True)
class Resources:
    """Names of the deployed resources of one channel, and of those that the channels share.

    Attributes:
        channel: the channel's name.
        queue_url: the channel's queue.
        dead_letter_queue_url: its dead-letter queue.
        function: the processor.
        log_group: the processor's log group.
        table: the conversations' table.
        topic_arn: the alerts topic.
        delivery_log_groups: those of the channel's functions for delivery events.
        scheduler: the scheduled job, which requests lookups; empty if there is none.
        vendor_check: the check of what vendors retire; empty if there is none.
    """

    channel: str
    queue_url: str
    dead_letter_queue_url: str
    function: str
    log_group: str
    table: str
    topic_arn: str
    delivery_log_groups: tuple[str, ...] = ()
    scheduler: str = ""
    vendor_check: str = ""

    @classmethod
    def deployed(cls, aws: Aws, project: Project, channel: str) -> "Resources":
        """Read the outputs of the project's stacks.

        Args:
            aws: where the stacks are deployed.
            project: their app.
            channel: the channel's name.

        Raises:
            KeyError: a stack does not have an output that is used here.
        """
        shared = _outputs(aws, project.shared_stack)
        stack = project.channel_stacks[channel]
        own, log_groups = _outputs(aws, stack), physical_ids(aws, stack, "AWS::Logs::LogGroup")
        rules = physical_ids(aws, stack, "AWS::Events::Rule")
        return cls(
            channel=channel,
            queue_url=own["QueueUrl"],
            dead_letter_queue_url=own["DeadLetterQueueUrl"],
            function=own["FunctionName"],
            log_group=own["LogGroupName"],
            table=shared["TableName"],
            topic_arn=shared["TopicArn"],
            delivery_log_groups=tuple(set(log_groups) - {own["LogGroupName"]}),
            # A rule has the name of the function that it invokes.
            scheduler=next((name for name in rules if "-scheduler-" in name), ""),
            vendor_check=next((name for name in rules if "-vendor-check-" in name), ""),
        )


def _outputs(aws: Aws, stack: str) -> dict[str, str]:
    (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}


def physical_ids(aws: Aws, stack: str, resource_type: str) -> list[str]:
    """Return the names or URLs of a stack's resources of one type."""
    pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [
        resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == resource_type
    ]


class Channel:
    """Sends context objects to a channel, and reads what it has done with them.

    Args:
        aws: where it is deployed.
        resources: its names.
        addressing: where its context objects contain the recipient's address.
        log_ends: with it, `log` and `delivery_log` have later lines only.

    Attributes:
        resources: as given.
        addressing: as given.
    """

    def __init__(
        self,
        aws: Aws,
        resources: Resources,
        addressing: Addressing = BY_PHONE,
        log_ends: Mapping[str, int] | None = None,
    ) -> None:
        self.resources = resources
        self.addressing = addressing
        self._aws = aws
        self._reader, *self._delivery_readers = self.log_readers(log_ends or {})
        self._lines: list[LogLine] = []
        self._delivery_lines: list[LogLine] = []

    def send(self, body: str) -> str:
        """Send a context object to the queue, in its company's message group.

        Returns:
            The queue message's id.
        """
        queue = ChannelQueue(self._aws.sqs, self.resources.queue_url)
        return queue.send(body, company_id(body))

    def record(self, key: RecordKey) -> dict[str, Any]:
        """Return a conversation's record as plain values; empty if there is none."""
        found = self._aws.dynamodb.get_item(
            TableName=self.resources.table,
            Key=_item_key(key),
            ConsistentRead=True,
        )
        return {name: _deserialize(value) for name, value in found.get("Item", {}).items()}

    def request_lookups(self) -> int:
        """Let every scheduled lookup of the vendor be due, and run the scheduled job now.

        Otherwise the first lookup of a message is due an hour after its send, and the job is run
        every quarter of an hour.

        Returns:
            The number of lookups that are due; 0 where the vendor cannot be asked.

        Raises:
            LocalCloudError: the job failed.
        """
        names = self.resources
        if not names.scheduler:
            return 0
        index = OpenWorkTable(self._aws.dynamodb, names.table, names.channel)
        found = list(index.due(OpenWork.DELIVERY, time.time() + LONGER_THAN_LOOKUPS))
        for _, key in found:
            self._make_due(key)
        self._run(names.scheduler)
        return len(found)

    def check_vendors(self) -> bool:
        """Run the check of what vendors retire now; return False if there is none.

        Raises:
            LocalCloudError: the check failed.
        """
        if name := self.resources.vendor_check:
            self._run(name)
        return bool(name)

    def _run(self, function: str) -> None:
        answer = self._aws.functions.invoke(FunctionName=function)
        if error := answer.get("FunctionError"):
            raise LocalCloudError(f"{function}: {error}")

    def start_scheduled_jobs(self) -> None:
        """Start a run of each job that has a schedule, without waiting for its end."""
        for name in filter(None, (self.resources.scheduler, self.resources.vendor_check)):
            self._aws.functions.invoke(FunctionName=name, InvocationType="Event")

    def _make_due(self, key: RecordKey) -> None:
        """Let a scheduled lookup be due, unless a callback has ended it meanwhile."""
        with suppress(self._aws.dynamodb.exceptions.ConditionalCheckFailedException):
            self._aws.dynamodb.update_item(
                TableName=self.resources.table,
                Key=_item_key(key),
                UpdateExpression=f"SET {OPEN_SINCE} = :now",
                ConditionExpression=f"attribute_exists({OPEN_WORK})",
                ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
            )

    def log_readers(self, log_ends: Mapping[str, int]) -> list[LogReader]:
        """Return readers of the logs: the processor's, then those of the delivery functions.

        Args:
            log_ends: positions of the first lines to be read, of log groups by name, such as
                `Changes.logs`; the others are read from their beginning.
        """
        names = (self.resources.log_group, *self.resources.delivery_log_groups)
        return [LogReader(self._aws, name, log_ends.get(name, 0)) for name in names]

    def log(self) -> list[LogLine]:
        """Return every line that the function has logged since the local cloud was started."""
        self._lines += self._reader.new_lines()
        return list(self._lines)

    def delivery_log(self) -> list[LogLine]:
        """Return every line of the functions for delivery events since the start."""
        for reader in self._delivery_readers:
            self._delivery_lines += reader.new_lines()
        return list(self._delivery_lines)

    def failed_start(self, since: float) -> str:
        """Return why the processor could not start at its last attempt.

        Args:
            since: earlier attempts are ignored, in seconds since the epoch.

        Returns:
            The error; empty if no start failed, or messages were processed since.
        """
        logged = (line for line in reversed(self.log()) if line.fields)
        last = next(logged, None)
        return last.failed_start if last and last.timestamp >= since * 1000 else ""

    def log_of(self, message_id: str) -> list[dict[str, Any]]:
        """Return the fields of the log lines about one queue message, oldest first."""
        fields = (line.fields for line in self.log())
        return [each for each in fields if each.get("sqs_message_id") == message_id]

    def dead_letters(self) -> dict[str, str]:
        """Return the bodies of the messages in the dead-letter queue, by id; they stay there."""
        messages = queued_messages(self._aws, self.resources.dead_letter_queue_url)
        return {message.message_id: message.body for message in messages}


Channels = Mapping[str, Channel]
"""Channels by name, in the order of their registration."""


def deployed_channels(
    aws: Aws, project: Project, log_ends: Mapping[str, int] | None = None
) -> Channels:
    """Return all channels of a project, by the outputs of their stacks.

    Args:
        aws: where they are deployed.
        project: their app.
        log_ends: with it, the channels' logs have later lines only.
    """
    names = project.channel_stacks
    return {
        name: Channel(
            aws,
            Resources.deployed(aws, project, name),
            project.addressing.get(name, BY_PHONE),
            log_ends,
        )
        for name in names
    }


def channel_for(body: str, channels: Channels) -> Channel:
    """Return the channel of a context object; the first one if it does not name a known channel."""
    return channels.get(channel_name(body), next(iter(channels.values())))


def record_key(body: str, addressing: Addressing = BY_PHONE) -> RecordKey | None:
    """Return the key of a context object's record; None if the object does not contain it.

    Like the function, it takes the canonical form of an address, and keeps any other text.
    """
    address = text_at(body, "frontend_payload", "recipient_data", addressing.recipient_field)
    conversation = text_at(body, "conversation_data", "conversation_id")
    if re.fullmatch(addressing.recipient.pattern, address):
        address = addressing.recipient.canonical(address)
    return RecordKey(address, conversation) if address and conversation else None


def _item_key(key: RecordKey) -> dict[str, Any]:
    return {
        "primary_channel": {"S": key.primary_channel},
        "conversation_id": {"S": key.conversation_id},
    }
