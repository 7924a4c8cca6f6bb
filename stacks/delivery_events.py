"""What happens to messages after they were sent: events queue, worker and scheduled job."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lambda_src.core.contract import (
    DELIVERY_LOOKUPS_PER_SECOND,
    EVENTS_QUEUE_URL,
    METRICS_NAMESPACE,
    RELEASE,
    SCHEDULE_SECONDS,
    SCHEDULER_HANDLER,
    Variable,
)
from stacks.alarms.delivery_alarms import add_delivery_alarms
from stacks.alarms.notifier import AlarmNotifier
from stacks.callback_endpoint import CallbackEndpoint, CallbackReceiver
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames, Environment
from stacks.conversations_table import ConversationsTable
from stacks.functions import logged_function
from stacks.invariants import attach_rules
from stacks.processor import Processor
from stacks.vendor_topic import VendorTopic

SCHEDULER_MEMORY_MB = 256
SCHEDULER_TIMEOUT = Duration.minutes(5)
"""Less than the time between two runs; a run sends at most a quarter of an hour's lookups."""


class LookupScheduler(Construct):
    """Function that requests, every quarter of an hour, the lookups that are due.

    It finds the records in the table's index `open-work`, and puts a request for each on the events
    queue. Its role may query that index, send to that queue and see how many messages wait there.

    Args:
        names: The channel's names.
        environment: Runtime, log level, rate of the lookups and what else may differ.
        code: The package that holds the runtime.
        conversations: The table, with its index `open-work`.
        events: The events queue and its dead-letter queue.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.

    Attributes:
        function: The function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        code: lambda_.Code,
        conversations: ConversationsTable,
        events: ChannelQueue,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = logged_function(
            self,
            environment,
            names.scheduler_log_group,
            encryption_key,
            function_name=names.scheduler,
            description=f"Requests lookups of {names.channel.display} messages without a result",
            code=code,
            handler=SCHEDULER_HANDLER,
            memory_size=SCHEDULER_MEMORY_MB,
            timeout=SCHEDULER_TIMEOUT,
            variables={
                Variable.CHANNEL: names.channel.name,
                Variable.CONVERSATIONS_TABLE: conversations.table.table_name,
                EVENTS_QUEUE_URL: events.queue.queue_url,
                DELIVERY_LOOKUPS_PER_SECOND: str(environment.delivery_lookups_per_second),
                Variable.LOG_LEVEL: environment.log_level,
                Variable.VERSION: RELEASE,
                METRICS_NAMESPACE: names.metrics_namespace,
            },
        ).function
        conversations.grant_find_open_work(self.function)
        events.grant_request_lookups(self.function)
        _every_quarter_of_an_hour(self, names, self.function)
        attach_rules(self, environment)


def _every_quarter_of_an_hour(
    scope: Construct, names: ChannelNames, function: lambda_.Function
) -> None:
    # A rule needs no role, in contrast to a schedule of EventBridge Scheduler: the function's
    # policy allows this rule to invoke it.
    events.Rule(
        scope,
        "Schedule",
        rule_name=names.scheduler,
        description=f"Invokes the scheduled job of {names.channel.display}",
        schedule=events.Schedule.rate(Duration.seconds(SCHEDULE_SECONDS)),
        targets=[targets.LambdaFunction(function)],
    )


class DeliveryEvents(Construct):
    """Events queue and events worker of a channel, what feeds them, and their alarms.

    With `delivery_webhook` the receiver stores each status callback on the queue, and the worker
    verifies it; or the vendor, an AWS service, puts its events on the queue through a topic. With
    `delivery_sweep` the scheduled job puts requests on the queue, and the worker asks the vendor.
    The channel says which of these it has. The worker writes the record.

    Args:
        names: The channel's names; the channel also gives the worker's handler.
        environment: `delivery_webhook`, `delivery_sweep` and what else may differ.
        conversations: The table; with `delivery_sweep` it has the index `open-work`.
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
        scheduler: The scheduled job's function; None: there are no lookups.
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
        self.scheduler: lambda_.Function | None = None
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
        if names.channel.looks_up(environment):
            self.scheduler = LookupScheduler(
                self,
                "Scheduler",
                names=names,
                environment=environment,
                code=code,
                conversations=conversations,
                events=self.channel_queue,
                encryption_key=encryption_key,
            ).function
        self.alarms: tuple[cloudwatch.Alarm, ...] = add_delivery_alarms(
            self,
            names=names,
            channel_queue=self.channel_queue,
            worker=self.worker,
            receiver=self.receiver,
            topic=self.topic.topic if self.topic else None,
            scheduler=self.scheduler,
            notifier=notifier,
        )
