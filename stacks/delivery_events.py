"""What happens to messages after they were sent: events queue and events worker."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.alarms.delivery_alarms import add_delivery_alarms
from stacks.alarms.notifier import AlarmNotifier
from stacks.callback_endpoint import CallbackEndpoint, CallbackReceiver
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames
from stacks.config.environments import Environment
from stacks.conversations_table import ConversationsTable
from stacks.processor import Processor
from stacks.vendor_topic import VendorTopic


class DeliveryEvents(Construct):
    """Events queue and events worker of a channel, what feeds them, and their alarms.

    With `delivery_webhook` the receiver stores each status callback on the queue, and the worker
    verifies it; or the vendor, an AWS service, puts its events on the queue through a topic. With
    `delivery_sweep` a `ScheduledJob` puts requests on the queue, and the worker asks the vendor.
    The channel says which of these it has. The worker writes the record.

    Args:
        names: The channel's names; the channel also gives the worker's handler.
        environment: `delivery_webhook`, `delivery_sweep` and what else may differ.
        conversations: The table.
        code: The package that holds the events worker's handler.
        secrets: The channel's secrets.
        notifier: Creates the alarms.
        endpoint: The HTTP API of the callbacks; required if callbacks are received.
        receiver_code: The package that holds the receiver; likewise.
        encryption_key: Encrypts the queues and the log groups; None: keys that AWS owns.

    Attributes:
        channel_queue: The events queue and its dead-letter queue.
        worker: The events worker.
        receiver: The receiver's function; None: there are no callbacks.
        topic: The topic of the vendor's events; None: there are none.
        alarms: All alarms.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        conversations: ConversationsTable,
        code: lambda_.Code,
        secrets: ChannelSecrets,
        notifier: AlarmNotifier,
        endpoint: CallbackEndpoint | None = None,
        receiver_code: lambda_.Code | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.channel_queue = ChannelQueue(
            self,
            "EventsQueue",
            names=names.events,
            consumer_timeout=environment.function_timeout,
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
            encryption_key=encryption_key,
        )
        self.receiver: lambda_.Function | None = None
        if names.channel.receives_callbacks(environment):
            if endpoint is None or receiver_code is None:
                raise ValueError(
                    "delivery events: expected endpoint and receiver_code with delivery_webhook"
                )
            self.receiver = CallbackReceiver(
                self,
                "Receiver",
                names=names,
                environment=environment,
                code=receiver_code,
                endpoint=endpoint,
                events=self.channel_queue.queue,
                encryption_key=encryption_key,
            ).function
            self.channel_queue.grant_send(self.receiver)
        self.topic: VendorTopic | None = None
        if names.channel.receives_vendor_events(environment):
            self.topic = VendorTopic(
                self,
                "VendorTopic",
                names=names,
                events=self.channel_queue.queue,
                encryption_key=encryption_key,
            )
        self.worker = Processor(
            self,
            "Worker",
            names=names.events,
            environment=environment,
            code=code,
            queue=self.channel_queue.queue,
            table=conversations.table,
            secret_prefixes=secrets.credentials_prefixes,
            encryption_key=encryption_key,
        )
        self.channel_queue.grant_process(self.worker.function)
        conversations.grant_record_delivery(self.worker.function)
        if secrets.credentials_prefixes:
            secrets.grant_read_credentials(self.worker.function)
        self.alarms: tuple[cloudwatch.Alarm, ...] = add_delivery_alarms(
            self,
            names=names,
            channel_queue=self.channel_queue,
            worker=self.worker,
            receiver=self.receiver,
            topic=self.topic.topic if self.topic else None,
            notifier=notifier,
        )
