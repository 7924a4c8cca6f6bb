"""The scheduled job of a channel, which looks after messages that wait for someone else."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
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
from stacks.alarms.notifier import AlarmNotifier
from stacks.alarms.scheduled_job_alarms import add_scheduled_job_alarms
from stacks.channel_queue import ChannelQueue
from stacks.config import ChannelNames
from stacks.config.environments import Environment
from stacks.conversations_table import ConversationsTable
from stacks.functions import add_schedule, logged_function
from stacks.invariants import attach_rules

MEMORY_MB = 256
TIMEOUT = Duration.minutes(5)
"""Less than the time between two runs; a run sends at most a quarter of an hour's lookups."""


class ScheduledJob(Construct):
    """Function that runs every quarter of an hour, its schedule and its alarms.

    It publishes the age of the oldest held draft, and puts approved messages that are not processed
    on the channel's queue. With an events queue it also requests the lookups that are due. It finds
    the records in the table's index `open-work`.

    Its role may query that index, read and update records, send to the channel's queue, and send to
    the events queue and see how many messages wait there.

    Args:
        names: The channel's names.
        environment: Runtime, log level, rate of the lookups and what else may differ.
        code: The package that holds the runtime.
        conversations: The table.
        channel_queue: The channel's queue and its dead-letter queue.
        notifier: Creates the alarms.
        events: The events queue and its dead-letter queue; None: it requests no lookups.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.

    Attributes:
        function: The function.
        requests_lookups: Whether it requests lookups.
        alarms: All alarms.
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
        channel_queue: ChannelQueue,
        notifier: AlarmNotifier,
        events: ChannelQueue | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.requests_lookups = events is not None
        variables: dict[str, str] = {
            Variable.CHANNEL: names.channel.name,
            Variable.QUEUE_URL: channel_queue.queue.queue_url,
            Variable.CONVERSATIONS_TABLE: conversations.table.table_name,
            Variable.LOG_LEVEL: environment.log_level,
            Variable.VERSION: RELEASE,
            METRICS_NAMESPACE: names.metrics_namespace,
        }
        if events:
            variables[EVENTS_QUEUE_URL] = events.queue.queue_url
            variables[DELIVERY_LOOKUPS_PER_SECOND] = str(environment.delivery_lookups_per_second)
        self.function = logged_function(
            self,
            environment,
            names.scheduler_log_group,
            encryption_key,
            function_name=names.scheduler,
            description=f"Looks after {names.channel.display} messages that wait, such as drafts",
            code=code,
            handler=SCHEDULER_HANDLER,
            memory_size=MEMORY_MB,
            timeout=TIMEOUT,
            variables=variables,
        ).function
        conversations.grant_find_open_work(self.function)
        conversations.grant_queue_approved(self.function)
        channel_queue.grant_send(self.function)
        if events:
            events.grant_request_lookups(self.function)
        add_schedule(
            self,
            self.function,
            name=names.scheduler,
            description=f"Invokes the scheduled job of {names.channel.display}",
            seconds=SCHEDULE_SECONDS,
        )
        self.alarms: tuple[cloudwatch.Alarm, ...] = add_scheduled_job_alarms(
            self,
            names=names,
            environment=environment,
            function=self.function,
            requests_lookups=self.requests_lookups,
            notifier=notifier,
        )
        attach_rules(self, environment)
