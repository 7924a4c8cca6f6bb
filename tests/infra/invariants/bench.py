"""Where faults are planted by code: our constructs in a stack, and room for mistakes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aws_cdk import Duration, Stack, Stage
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channels import Channel
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.environments import Environment
from stacks.names import ChannelNames
from stacks.processor import Processor
from tests.infra import synthesis

PUSH = Channel(name="push", display="Push", metric_filter_part="Push", credentials_form="{}")
PRODUCTION: dict[str, Any] = {
    "tier": "production",
    "removal_policy": "retain",
    "deletion_protection": True,
    "point_in_time_recovery": True,
    "log_retention_days": 365,
}
DUTY = "duty@ops.internal"
AWS_METRIC = ("AWS/SQS", "NumberOfMessagesSent")


@dataclass(frozen=True)
class Bench:
    """A stack in which somebody uses our constructs, without our app around them."""

    stack: Stack

    @classmethod
    def of(cls, app: Stage, name: str, *, protected: bool = True) -> "Bench":
        """Return a bench in a new stack of an app."""
        return cls(Stack(app, name, termination_protection=protected))

    def environment(self, **changes: Any) -> Environment:
        """Return the sample environment with changes, by a name that no other bench has."""
        return replace(synthesis.environment(**changes), name=self.stack.node.id.lower())

    def queue(
        self, environment: Environment | None = None, *, consumer_timeout: int | None = None
    ) -> sqs.Queue:
        """Make a channel's queue.

        Args:
            environment: What it is for; by default the sample.
            consumer_timeout: Seconds that its consumer is said to take; by default what it takes.
        """
        environment = environment or self.environment()
        timeout = environment.function_timeout
        return ChannelQueue(
            self.stack,
            "ChannelQueue",
            names=ChannelNames(PUSH, environment),
            consumer_timeout=Duration.seconds(consumer_timeout) if consumer_timeout else timeout,
            max_receive_count=environment.max_receive_count,
            removal_policy=environment.removal_policy,
        ).queue

    def processor(
        self,
        environment: Environment | None = None,
        *,
        queue: sqs.Queue | None = None,
        channel: Channel = PUSH,
        secrets: ChannelSecrets | None = None,
        grant: bool = True,
    ) -> Processor:
        """Make a processor, and what it needs beside the parts given.

        Args:
            environment: What it is for; by default the sample.
            queue: What feeds it.
            channel: Whose it is.
            secrets: What it may read; by default its channel's own.
            grant: Whether it really may read them.
        """
        environment = environment or self.environment()
        names = ChannelNames(channel, environment)
        secrets = secrets or self.secrets(names)
        processor = Processor(
            self.stack,
            channel.display,
            names=names,
            environment=environment,
            code=synthesis.stub_package().code(),
            queue=queue or self.queue(environment),
            table=self.table(environment).table,
            secret_prefixes=secrets.prefixes,
        )
        if grant:
            secrets.grant_read(processor.function)
        return processor

    def secrets(self, names: ChannelNames) -> ChannelSecrets:
        """Make a channel's secrets."""
        return ChannelSecrets(
            self.stack,
            f"{names.channel.display}Secrets",
            names=names,
            tenants=(),
            removal_policy=names.environment.removal_policy,
        )

    def table(self, environment: Environment) -> ConversationsTable:
        """Make a table of conversations, once."""
        made = self.stack.node.try_find_child("Table")
        if isinstance(made, ConversationsTable):
            return made
        return ConversationsTable(
            self.stack,
            "Table",
            table_name="conversations",
            point_in_time_recovery=environment.point_in_time_recovery,
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
        )

    def topic(self, email: str | None = DUTY) -> sns.Topic:
        """Make the topic of alerts."""
        return CriticalAlertsTopic(self.stack, "Alerts", topic_name="alerts", email=email).topic

    def alarm(
        self, *topics: sns.ITopic, watching: tuple[str, str] = AWS_METRIC
    ) -> cloudwatch.Alarm:
        """Make an alarm on a metric, by namespace and name, that acts on topics."""
        metric = cloudwatch.Metric(namespace=watching[0], metric_name=watching[1])
        alarm = metric.create_alarm(self.stack, "Alarm", threshold=1, evaluation_periods=1)
        alarm.add_alarm_action(*map(actions.SnsAction, topics))
        return alarm

    def mapping(self, processor: Processor, queue: sqs.IQueue | None = None, **props: bool) -> None:
        """Feed a processor a second time, as somebody does who knows Lambda and not us."""
        lambda_.EventSourceMapping(
            self.stack,
            "Second",
            target=processor.alias,
            event_source_arn=(queue or self.fed_from()).queue_arn,
            max_concurrency=2 if props.get("bounded", True) else None,
            report_batch_item_failures=props.get("reports", True),
        )

    def fed_from(self) -> sqs.Queue:
        """Return the queue that `queue` has made."""
        made = self.stack.node.find_child("ChannelQueue")
        assert isinstance(made, ChannelQueue)
        return made.queue

    def metric_filter(self, log_group: logs.ILogGroup, pattern: logs.IFilterPattern) -> None:
        """Count lines of a log."""
        logs.MetricFilter(
            self.stack,
            "Filter",
            log_group=log_group,
            filter_pattern=pattern,
            metric_namespace="Push",
            metric_name="Lines",
        )


Plant = Callable[[Bench], object]


def resource(processor: Processor) -> lambda_.CfnFunction:
    """Return the function's resource, for what no property of a construct says."""
    made = processor.function.node.default_child
    assert isinstance(made, lambda_.CfnFunction)
    return made


def variable(name: str, value: str) -> Plant:
    """Return what sets an environment variable of a processor."""
    return lambda bench: bench.processor().function.add_environment(name, value)


def changed(**keys: Any) -> Plant:
    """Return what builds a processor for an environment with other values of its keys."""
    return lambda bench: bench.processor(bench.environment(**keys))


def production(**keys: Any) -> Plant:
    """Return what builds all that keeps data for production, but for these keys."""
    return lambda bench: bench.processor(bench.environment(**PRODUCTION | keys))
