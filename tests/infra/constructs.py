"""Constructs of a channel that the app does not have, in a stack of its own."""

from dataclasses import replace
from typing import Any

from aws_cdk import Duration, Stack, Stage
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from stacks.alarms.notifier import AlarmNotifier
from stacks.callback_endpoint import CallbackEndpoint, CallbackReceiver
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import Channel, ChannelNames, SharedNames
from stacks.config.environments import Environment
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.hand_off_queue import HandOffQueue
from stacks.processor import Processor
from stacks.scheduled_job import ScheduledJob
from stacks.vendor_check import VendorCheck
from tests.infra import synthesis

PUSH = Channel(name="push", display="Push", metric_filter_part="Push", credentials_form="{}")
PRODUCTION: dict[str, Any] = {
    "tier": "production",
    "removal_policy": "retain",
    "deletion_protection": True,
    "point_in_time_recovery": True,
    "log_retention_days": 365,
}
ON_CALL_ADDRESS = "on-call@ops.internal"
AWS_METRIC = ("AWS/SQS", "NumberOfMessagesSent")


class SampleStack:
    """A stack that uses our constructs without our app around them."""

    def __init__(self, app: Stage, name: str, *, protected: bool = True) -> None:
        self.stack = Stack(app, name, termination_protection=protected)

    def environment(self, **changes: Any) -> Environment:
        """Return the sample environment with changes, and with a name that no other stack has."""
        return replace(synthesis.environment(**changes), name=self.stack.node.id.lower())

    def queue(
        self, environment: Environment | None = None, *, consumer_timeout: int | None = None
    ) -> sqs.Queue:
        """Create a channel's queue, for a consumer with the environment's or another timeout."""
        return self.channel_queue(environment, consumer_timeout=consumer_timeout).queue

    def channel_queue(
        self, environment: Environment | None = None, *, consumer_timeout: int | None = None
    ) -> ChannelQueue:
        """Create a channel's queue and its dead-letter queue."""
        environment = environment or self.environment()
        seconds = consumer_timeout or environment.function_timeout.to_seconds()
        return ChannelQueue(
            self.stack,
            "ChannelQueue",
            names=ChannelNames(PUSH, environment),
            consumer_timeout=Duration.seconds(seconds),
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
        )

    def processor(
        self,
        environment: Environment | None = None,
        *,
        queue: sqs.Queue | None = None,
        channel: Channel = PUSH,
        secrets: ChannelSecrets | None = None,
        grant: bool = True,
        hand_off: sqs.IQueue | None = None,
    ) -> Processor:
        """Create a processor, which may read its secrets, and every part that is not given."""
        environment = environment or self.environment()
        secrets = secrets or self.secrets(ChannelNames(channel, environment))
        processor = Processor(
            self.stack,
            channel.display,
            names=ChannelNames(channel, environment),
            environment=environment,
            code=synthesis.stub_package().code(),
            queue=queue or self.queue(environment),
            table=self.table(environment).table,
            secret_prefixes=secrets.prefixes,
            hand_off_queue=hand_off,
        )
        if grant:
            secrets.grant_read(processor.function)
        return processor

    def receiver(self, events: sqs.IQueue) -> CallbackReceiver:
        """Create a receiver that puts callbacks on a queue, and its HTTP API."""
        environment = self.environment(delivery_webhook=True)
        shared: Any = {"names": SharedNames(environment), "environment": environment}
        return CallbackReceiver(
            self.stack,
            "Receiver",
            names=ChannelNames(PUSH, environment),
            environment=environment,
            code=synthesis.stub_package().code(),
            endpoint=CallbackEndpoint(self.stack, "Callbacks", **shared),
            events=events,
        )

    def scheduler(self, queue: ChannelQueue | None = None) -> ScheduledJob:
        """Create a scheduled job with its table, and with one queue that nothing consumes."""
        environment = self.environment(delivery_sweep=True)
        queue = queue or self.channel_queue(environment)
        return ScheduledJob(
            self.stack,
            "Scheduler",
            names=ChannelNames(PUSH, environment),
            environment=environment,
            code=synthesis.stub_package().code(),
            conversations=self.table(environment),
            channel_queue=queue,
            notifier=AlarmNotifier(topic=self.topic(), runbook="docs/runbook.md"),
            events=queue,
        )

    def vendor_check(self) -> VendorCheck:
        """Create a vendor check with its secrets."""
        environment = self.environment()
        names = ChannelNames(PUSH, environment)
        return VendorCheck(
            self.stack,
            "VendorCheck",
            names=names,
            environment=environment,
            code=synthesis.stub_package().code(),
            secrets=self.secrets(names),
            notifier=AlarmNotifier(topic=self.topic(), runbook="docs/runbook.md"),
        )

    def hand_off_queue(self, *granted: Processor, queue: sqs.Queue | None = None) -> HandOffQueue:
        """Create a processor's hand-off queue, on which others that are given may put copies."""
        environment = self.environment()
        name = SharedNames(environment).hand_off_queue
        hand_off = HandOffQueue(self.stack, "HandOff", queue_name=name, environment=environment)
        processor = self.processor(environment, queue=queue, hand_off=hand_off.queue)
        hand_off.grant_put(processor.function)
        for other in granted:
            hand_off.grant_put(other.function)
        return hand_off

    def secrets(self, names: ChannelNames) -> ChannelSecrets:
        """Create a channel's secrets."""
        name, policy = f"{names.channel.display}Secrets", names.environment.removal_policy
        return ChannelSecrets(self.stack, name, names=names, tenants=(), removal_policy=policy)

    def table(self, environment: Environment) -> ConversationsTable:
        """Return the stack's conversations table; create it if it does not exist."""
        table = self.stack.node.try_find_child("Table")
        if isinstance(table, ConversationsTable):
            return table
        return ConversationsTable(
            self.stack,
            "Table",
            table_name="conversations",
            point_in_time_recovery=environment.point_in_time_recovery,
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
        )

    def topic(self, email: str | None = ON_CALL_ADDRESS) -> sns.Topic:
        """Create the topic of alerts."""
        return CriticalAlertsTopic(self.stack, "Alerts", topic_name="alerts", email=email).topic

    def alarm(self, *topics: sns.ITopic, metric: tuple[str, str] = AWS_METRIC) -> cloudwatch.Alarm:
        """Create an alarm on a metric, given as namespace and name, that notifies topics."""
        watched = cloudwatch.Metric(namespace=metric[0], metric_name=metric[1])
        alarm = watched.create_alarm(self.stack, "Alarm", threshold=1, evaluation_periods=1)
        alarm.add_alarm_action(*map(actions.SnsAction, topics))
        return alarm

    def second_mapping(
        self, queue: sqs.IQueue | None = None, *, bounded: bool = True, reports: bool = True
    ) -> None:
        """Feed a new processor a second time, with a mapping that our constructs do not create."""
        first = self.queue()
        lambda_.EventSourceMapping(
            self.stack,
            "Second",
            target=self.processor(queue=first).alias,
            event_source_arn=(queue or first).queue_arn,
            max_concurrency=2 if bounded else None,
            report_batch_item_failures=reports,
        )

    def metric_filter(self, log_group: logs.ILogGroup, pattern: str) -> None:
        """Count the lines of a log that match a pattern."""
        metric: Any = {"metric_namespace": "Push", "metric_name": "Lines"}
        literal = logs.FilterPattern.literal(pattern)
        logs.MetricFilter(
            self.stack, "Filter", log_group=log_group, filter_pattern=literal, **metric
        )
