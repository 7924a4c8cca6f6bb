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
from stacks.operator_policy import OperatorPolicy
from stacks.processor import Processor
from stacks.queue_alarms import QueueAlarms
from stacks.router_policy import RouterPolicy
from stacks.shared_stack import SharedStack
from stacks.silence_alarm import SilenceAlarm


class ChannelStack(Stack):
    """Queue -> processor -> log line -> metric -> alarm -> the shared topic.

    Args:
        channel: What makes this channel differ from others.
        environment: What may differ between environments.
        shared: What the environment's channels share.
        code: The package that holds the channel's handler.
        names: Another repository's own, where it has some.

    Attributes:
        channel_queue: The queue construct; let a router send to it with `grant_send`.
        secrets: The channel's secrets.
        processor: The function, its alias and its log group.
        router: The policy of whoever sends to the queue.
        operator: The policy of the people on duty.
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
        names: ChannelNames | None = None,
    ) -> None:
        names = names or ChannelNames(channel, environment)
        super().__init__(
            scope,
            construct_id,
            stack_name=names.stack,
            description=f"The {channel.display} channel: from its queue to a message sent",
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
        )
        self.channel_queue.grant_process(self.processor.function)
        shared.conversations.grant_ledger(self.processor.function)
        self.secrets.grant_read(self.processor.function)
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
        )
        self._wake_people(names, environment, shared)
        dashboard = self._show(names, environment)
        self._give_out(dashboard)

    def _wake_people(
        self, names: ChannelNames, environment: Environment, shared: SharedStack
    ) -> None:
        on_call = OnCall(topic=shared.alerts.topic, runbook=environment.runbook)
        for lines in alarming_lines(environment.max_receive_count, names.channel.vendor):
            LogAlarm(
                self,
                lines.rule.subject,
                names=names,
                lines=lines,
                log_group=self.processor.log_group,
                on_call=on_call,
            )
        QueueAlarms(
            self,
            "QueueAlarms",
            names=names,
            queue=self.channel_queue.queue,
            dead_letter_queue=self.channel_queue.dead_letter_queue,
            on_call=on_call,
        )
        FunctionAlarms(
            self,
            "FunctionAlarms",
            names=names,
            function=self.processor.function,
            timeout=environment.function_timeout,
            on_call=on_call,
        )
        SilenceAlarm(
            self,
            "NoMessageSent",
            names=names,
            queue=self.channel_queue.queue,
            log_group=self.processor.log_group,
            on_call=on_call,
        )

    def _show(self, names: ChannelNames, environment: Environment) -> ChannelDashboard:
        return ChannelDashboard(
            self,
            "ChannelDashboard",
            names=names,
            queue=self.channel_queue.queue,
            dead_letter_queue=self.channel_queue.dead_letter_queue,
            function=self.processor.function,
            timeout=environment.function_timeout,
            maximum_concurrency=environment.maximum_concurrency,
            alarms=alarms_in(self),
        )

    def _give_out(self, dashboard: ChannelDashboard) -> None:
        CfnOutput(self, "QueueUrl", value=self.channel_queue.queue.queue_url)
        CfnOutput(self, "DeadLetterQueueUrl", value=self.channel_queue.dead_letter_queue.queue_url)
        CfnOutput(self, "FunctionName", value=self.processor.function.function_name)
        CfnOutput(self, "FunctionAlias", value=self.processor.alias.alias_name)
        CfnOutput(self, "LogGroupName", value=self.processor.log_group.log_group_name)
        CfnOutput(self, "DashboardUrl", value=dashboard.url)
        CfnOutput(self, "RouterPolicyArn", value=self.router.policy.managed_policy_arn)
        CfnOutput(self, "OperatorPolicyArn", value=self.operator.policy.managed_policy_arn)
