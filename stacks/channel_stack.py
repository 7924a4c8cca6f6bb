"""One communication channel, as a wiring diagram."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import Environment as Target
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.alarming_lines import alarming_lines
from stacks.channel_dashboard import ChannelDashboard, alarms_in
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channels import Channel
from stacks.environments import Environment
from stacks.function_alarms import FunctionAlarms
from stacks.log_alarm import LogAlarm
from stacks.names import ChannelNames
from stacks.on_call import OnCall
from stacks.processor import Processor
from stacks.queue_alarms import QueueAlarms
from stacks.shared_stack import SharedStack
from stacks.silence_alarm import SilenceAlarm


class ChannelStack(Stack):
    """Queue -> processor -> log line -> metric -> alarm -> the shared topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        channel: Channel,
        environment: Environment,
        shared: SharedStack,
        code: lambda_.Code,
    ) -> None:
        names = ChannelNames(channel, environment)
        super().__init__(
            scope,
            construct_id,
            stack_name=names.stack,
            description=f"The {channel.display} channel: from its queue to a message sent",
            env=Target(account=environment.account, region=environment.region),
            termination_protection=environment.deletion_protection,
        )
        channel_queue = ChannelQueue(
            self,
            "ChannelQueue",
            names=names,
            consumer_timeout=environment.function_timeout,
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
            encryption_key=shared.encryption_key,
        )
        secrets = ChannelSecrets(
            self,
            "Secrets",
            names=names,
            tenants=environment.tenants,
            removal_policy=environment.removal_policy,
        )
        processor = Processor(
            self,
            "Processor",
            names=names,
            environment=environment,
            code=code,
            queue=channel_queue.queue,
            table=shared.conversations.table,
            secret_prefixes=secrets.prefixes,
            encryption_key=shared.encryption_key,
        )
        channel_queue.grant_process(processor.function)
        shared.conversations.grant_ledger(processor.function)
        secrets.grant_read(processor.function)
        self._wake_people(names, environment, channel_queue, processor, shared)
        dashboard = self._show(names, environment, channel_queue, processor)
        self._give_out(channel_queue, processor, dashboard)

    def _wake_people(
        self,
        names: ChannelNames,
        environment: Environment,
        channel_queue: ChannelQueue,
        processor: Processor,
        shared: SharedStack,
    ) -> None:
        on_call = OnCall(topic=shared.alerts.topic, runbook=environment.runbook)
        for lines in alarming_lines(environment.max_receive_count):
            LogAlarm(
                self,
                lines.rule.subject,
                names=names,
                lines=lines,
                log_group=processor.log_group,
                on_call=on_call,
            )
        QueueAlarms(
            self,
            "QueueAlarms",
            names=names,
            queue=channel_queue.queue,
            dead_letter_queue=channel_queue.dead_letter_queue,
            on_call=on_call,
        )
        FunctionAlarms(
            self,
            "FunctionAlarms",
            names=names,
            function=processor.function,
            timeout=environment.function_timeout,
            on_call=on_call,
        )
        SilenceAlarm(
            self,
            "NoMessageSent",
            names=names,
            queue=channel_queue.queue,
            log_group=processor.log_group,
            on_call=on_call,
        )

    def _show(
        self,
        names: ChannelNames,
        environment: Environment,
        channel_queue: ChannelQueue,
        processor: Processor,
    ) -> ChannelDashboard:
        return ChannelDashboard(
            self,
            "ChannelDashboard",
            names=names,
            queue=channel_queue.queue,
            dead_letter_queue=channel_queue.dead_letter_queue,
            function=processor.function,
            timeout=environment.function_timeout,
            maximum_concurrency=environment.maximum_concurrency,
            alarms=alarms_in(self),
        )

    def _give_out(
        self, channel_queue: ChannelQueue, processor: Processor, dashboard: ChannelDashboard
    ) -> None:
        CfnOutput(self, "QueueUrl", value=channel_queue.queue.queue_url)
        CfnOutput(self, "DeadLetterQueueUrl", value=channel_queue.dead_letter_queue.queue_url)
        CfnOutput(self, "FunctionName", value=processor.function.function_name)
        CfnOutput(self, "FunctionAlias", value=processor.alias.alias_name)
        CfnOutput(self, "LogGroupName", value=processor.log_group.log_group_name)
        CfnOutput(self, "DashboardUrl", value=dashboard.url)
