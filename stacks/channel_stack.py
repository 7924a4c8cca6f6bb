"""One communication channel, as a wiring diagram."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import Environment as Target
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.access_policies import OperatorPolicy, RouterPolicy
from stacks.alarms.log_alarms import LogAlarm, log_alarm_rules
from stacks.alarms.metric_alarms import FunctionAlarms, QueueAlarms
from stacks.alarms.no_throughput_alarm import NoThroughputAlarm
from stacks.alarms.notifier import AlarmNotifier
from stacks.channel_dashboard import ChannelDashboard
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import Channel, ChannelNames
from stacks.config.environments import Environment
from stacks.delivery_events import DeliveryEvents
from stacks.grants import fill_placeholders, grant_sender
from stacks.processor import Processor
from stacks.scheduled_job import ScheduledJob
from stacks.shared_stack import SharedStack
from stacks.vendor_check import VendorCheck


class ChannelStack(Stack):
    """Queue -> processor -> log line -> metric -> alarm -> the shared topic.

    Args:
        channel: What distinguishes this channel from others.
        environment: What may differ between environments.
        shared: The stack that the environment's channels share.
        code: The package that holds the channel's handlers.
        receiver_code: The package that holds the receiver of status callbacks; required with
            `delivery_webhook`.
        names: Another repository's own names, where it has some.

    Attributes:
        names: The names of the channel's resources.
        channel_queue: The queue construct; allow a router to send with `grant_send`.
        secrets: The channel's secrets.
        processor: The function, its alias and its log group.
        delivery_events: What happens to sent messages; None if neither `delivery_webhook` nor
            `delivery_sweep` reports it for this channel.
        scheduled_job: The job that looks after held and approved drafts, and requests lookups.
        vendor_check: The check of what vendors retire.
        router: The managed policy of senders to the queue.
        operator: The managed policy of the channel's operators.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        channel: Channel,
        environment: Environment,
        shared: SharedStack,
        code: lambda_.Code,
        receiver_code: lambda_.Code | None = None,
        names: ChannelNames | None = None,
    ) -> None:
        self.names = names = names or ChannelNames(channel, environment)
        super().__init__(
            scope,
            construct_id,
            stack_name=names.stack,
            description=f"The {channel.display} channel, from its queue to the message sent",
            env=Target(account=environment.account, region=environment.region),
            termination_protection=environment.deletion_protection,
        )
        self.channel_queue = ChannelQueue(
            self,
            "ChannelQueue",
            names=names,
            consumer_timeout=environment.function_timeout,
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
            encryption_key=shared.encryption_key,
        )
        self.secrets = ChannelSecrets(
            self,
            "Secrets",
            names=names,
            tenants=environment.tenants,
            removal_policy=environment.removal_policy,
        )
        self.processor = Processor(
            self,
            "Processor",
            names=names,
            environment=environment,
            code=code,
            queue=self.channel_queue.queue,
            table=shared.conversations.table,
            secret_prefixes=self.secrets.prefixes,
            encryption_key=shared.encryption_key,
            callback_base_url=shared.callbacks.base_url
            if shared.callbacks and channel.has_callbacks
            else "",
            hand_off_queue=shared.hand_off.queue,
            variables={
                name: fill_placeholders(self, names, value)
                for name, value in channel.variables.items()
            },
        )
        self.channel_queue.grant_process(self.processor.function)
        shared.hand_off.grant_put(self.processor.function)
        shared.conversations.grant_ledger(self.processor.function)
        self.secrets.grant_read(self.processor.function)
        grant_sender(self, names, self.processor.function)
        self.router = RouterPolicy(
            self, "RouterPolicy", names=names, channel_queue=self.channel_queue
        )
        self.operator = OperatorPolicy(
            self,
            "OperatorPolicy",
            names=names,
            channel_queue=self.channel_queue,
            conversations=shared.conversations,
            secrets=self.secrets,
            function=self.processor.alias,
            hand_off=shared.hand_off,
        )
        notifier = AlarmNotifier(topic=shared.alerts.topic, runbook=environment.runbook)
        alarms = self._add_alarms(names, environment, notifier)
        self.delivery_events = (
            DeliveryEvents(
                self,
                "DeliveryEvents",
                names=names,
                environment=environment,
                conversations=shared.conversations,
                endpoint=shared.callbacks,
                code=code,
                receiver_code=receiver_code,
                secrets=self.secrets,
                notifier=notifier,
                encryption_key=shared.encryption_key,
            )
            if channel.has_delivery_events(environment)
            else None
        )
        if self.delivery_events:
            self.delivery_events.channel_queue.grant_operate(self.operator.policy)
            alarms += self.delivery_events.alarms
        self.scheduled_job = ScheduledJob(
            self,
            "ScheduledJob",
            names=names,
            environment=environment,
            code=code,
            conversations=shared.conversations,
            channel_queue=self.channel_queue,
            notifier=notifier,
            events=self.delivery_events.channel_queue
            if self.delivery_events and channel.looks_up(environment)
            else None,
            encryption_key=shared.encryption_key,
        )
        self.vendor_check = VendorCheck(
            self,
            "VendorCheck",
            names=names,
            environment=environment,
            code=code,
            secrets=self.secrets,
            notifier=notifier,
            encryption_key=shared.encryption_key,
        )
        alarms += (*self.scheduled_job.alarms, *self.vendor_check.alarms)
        dashboard = self._add_dashboard(names, environment, alarms)
        self._add_outputs(dashboard, shared)

    def _add_alarms(
        self, names: ChannelNames, environment: Environment, notifier: AlarmNotifier
    ) -> list[cloudwatch.Alarm]:
        """Add the alarms and return them in the order of the dashboard."""
        on_log_lines = [
            LogAlarm(
                self,
                rule.alarm.subject,
                names=names,
                rule=rule,
                log_group=self.processor.log_group,
                notifier=notifier,
            ).alarm
            for rule in log_alarm_rules(environment.max_receive_count, names.channel.vendor)
        ]
        on_queues = QueueAlarms(
            self,
            "QueueAlarms",
            names=names,
            queue=self.channel_queue.queue,
            dead_letter_queue=self.channel_queue.dead_letter_queue,
            notifier=notifier,
        ).alarms
        on_function = FunctionAlarms(
            self,
            "FunctionAlarms",
            names=names,
            function=self.processor.function,
            timeout=environment.function_timeout,
            notifier=notifier,
        ).alarms
        no_throughput = NoThroughputAlarm(
            self,
            "NoMessageSent",
            names=names,
            queue=self.channel_queue.queue,
            log_group=self.processor.log_group,
            notifier=notifier,
        ).alarm
        return [*on_log_lines, *on_queues, *on_function, no_throughput]

    def _add_dashboard(
        self, names: ChannelNames, environment: Environment, alarms: list[cloudwatch.Alarm]
    ) -> ChannelDashboard:
        return ChannelDashboard(
            self,
            "ChannelDashboard",
            names=names,
            queue=self.channel_queue.queue,
            dead_letter_queue=self.channel_queue.dead_letter_queue,
            function=self.processor.function,
            timeout=environment.function_timeout,
            maximum_concurrency=environment.maximum_concurrency,
            alarms=alarms,
            delivery_events=self.delivery_events,
            scheduled_job=self.scheduled_job,
            vendor_check=self.vendor_check,
        )

    def _add_outputs(self, dashboard: ChannelDashboard, shared: SharedStack) -> None:
        CfnOutput(self, "QueueUrl", value=self.channel_queue.queue.queue_url)
        CfnOutput(self, "DeadLetterQueueUrl", value=self.channel_queue.dead_letter_queue.queue_url)
        CfnOutput(self, "HandOffQueueUrl", value=shared.hand_off.queue.queue_url)
        if self.delivery_events:
            events = self.delivery_events.channel_queue
            CfnOutput(self, "EventsQueueUrl", value=events.queue.queue_url)
            CfnOutput(self, "EventsDeadLetterQueueUrl", value=events.dead_letter_queue.queue_url)
        CfnOutput(self, "FunctionName", value=self.processor.function.function_name)
        CfnOutput(self, "FunctionAlias", value=self.processor.alias.alias_name)
        CfnOutput(self, "LogGroupName", value=self.processor.log_group.log_group_name)
        CfnOutput(self, "DashboardUrl", value=dashboard.url)
        CfnOutput(self, "RouterPolicyArn", value=self.router.policy.managed_policy_arn)
        CfnOutput(self, "OperatorPolicyArn", value=self.operator.policy.managed_policy_arn)
