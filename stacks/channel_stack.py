"""One communication channel, as a wiring diagram."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import Environment as Target
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channels import Channel
from stacks.critical_events import CRITICAL_EVENTS
from stacks.environments import Environment
from stacks.log_alarm import LogAlarm
from stacks.names import ChannelNames
from stacks.processor import Processor
from stacks.shared_stack import SharedStack


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
        )
        channel_queue.grant_process(processor.function)
        shared.conversations.grant_ledger(processor.function)
        secrets.grant_read(processor.function)
        self._alarm_on_critical_lines(names, processor, shared)
        self._give_out(channel_queue, processor)

    def _alarm_on_critical_lines(
        self, names: ChannelNames, processor: Processor, shared: SharedStack
    ) -> None:
        for critical in CRITICAL_EVENTS:
            LogAlarm(
                self,
                critical.subject,
                names=names.log_alarm(critical.subject),
                event=critical.event,
                description=critical.description,
                log_group=processor.log_group,
                topic=shared.alerts.topic,
            )

    def _give_out(self, channel_queue: ChannelQueue, processor: Processor) -> None:
        CfnOutput(self, "QueueUrl", value=channel_queue.queue.queue_url)
        CfnOutput(self, "DeadLetterQueueUrl", value=channel_queue.dead_letter_queue.queue_url)
        CfnOutput(self, "FunctionName", value=processor.function.function_name)
        CfnOutput(self, "FunctionAlias", value=processor.alias.alias_name)
        CfnOutput(self, "LogGroupName", value=processor.log_group.log_group_name)
