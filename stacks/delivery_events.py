"""What happens to a channel's messages after they were sent: receiver, events queue and worker."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.alarms.delivery_alarms import add_delivery_alarms
from stacks.alarms.notifier import AlarmNotifier
from stacks.callback_endpoint import CallbackReceiver
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames, Environment
from stacks.processor import Processor
from stacks.shared_stack import SharedStack


class DeliveryEvents(Construct):
    """Receiver, events queue and events worker of a channel, with their alarms.

    The receiver stores each callback on the queue; the worker verifies it and writes the record.

    Args:
        names: The channel's names.
        environment: What may differ between environments.
        shared: The stack that has the HTTP API, the table and the topic.
        code: The package that holds the events worker's handler.
        receiver_code: The package that holds the receiver.
        secrets: The channel's secrets.
        notifier: Creates the alarms.

    Attributes:
        channel_queue: The events queue and its dead-letter queue.
        worker: The events worker.
        receiver: The receiver's function.
        alarms: All alarms.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        shared: SharedStack,
        code: lambda_.Code,
        receiver_code: lambda_.Code | None,
        secrets: ChannelSecrets,
        notifier: AlarmNotifier,
    ) -> None:
        super().__init__(scope, construct_id)
        if shared.callbacks is None or receiver_code is None:
            raise ValueError(
                "delivery events: expected a shared stack with delivery_webhook, and receiver_code"
            )
        self.channel_queue = ChannelQueue(
            self,
            "EventsQueue",
            names=names.events,
            consumer_timeout=environment.function_timeout,
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
            encryption_key=shared.encryption_key,
        )
        receiver = CallbackReceiver(
            self,
            "Receiver",
            names=names,
            environment=environment,
            code=receiver_code,
            endpoint=shared.callbacks,
            events=self.channel_queue.queue,
            encryption_key=shared.encryption_key,
        )
        self.receiver = receiver.function
        self.channel_queue.grant_send(self.receiver)
        self.worker = Processor(
            self,
            "Worker",
            names=names.events,
            environment=environment,
            code=code,
            queue=self.channel_queue.queue,
            table=shared.conversations.table,
            secret_prefixes=[names.credentials_prefix],
            encryption_key=shared.encryption_key,
        )
        self.channel_queue.grant_process(self.worker.function)
        shared.conversations.grant_record_delivery(self.worker.function)
        secrets.grant_read_credentials(self.worker.function)
        self.alarms: tuple[cloudwatch.Alarm, ...] = add_delivery_alarms(
            self,
            names=names,
            channel_queue=self.channel_queue,
            worker=self.worker,
            receiver=self.receiver,
            notifier=notifier,
        )
