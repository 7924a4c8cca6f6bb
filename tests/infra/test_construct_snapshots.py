"""Each construct alone: what it makes, for a channel that the app does not have."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from syrupy.assertion import SnapshotAssertion

from stacks.alarming_lines import HEARTBEAT_FAILURES
from stacks.channel_dashboard import ChannelDashboard, alarms_in
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channels import Channel
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.encryption_key import EncryptionKey
from stacks.function_alarms import FunctionAlarms
from stacks.invariants.facts import METADATA
from stacks.invariants.guard import Invariants
from stacks.log_alarm import LogAlarm
from stacks.names import ChannelNames
from stacks.on_call import AlarmRule, OnCall
from stacks.operator_policy import OperatorPolicy
from stacks.processor import Processor
from stacks.queue_alarms import QueueAlarms
from stacks.router_policy import RouterPolicy
from stacks.silence_alarm import SilenceAlarm
from tests.infra.outline import resources_of
from tests.infra.synthesis import environment, new_app, stub_package

PUSH = Channel(name="push", display="Push", metric_filter_part="Push", credentials_form="{}")
SQS = "arn:aws:sqs:eu-west-1:111122223333"


def _names() -> ChannelNames:
    return ChannelNames(PUSH, environment())


def _router(stack: Stack) -> iam.IRole:
    made = stack.node.try_find_child("Router")
    if isinstance(made, iam.Role):
        return made
    return iam.Role(stack, "Router", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))


def channel_queue(stack: Stack, encryption_key: kms.IKey | None = None) -> ChannelQueue:
    """A queue of a channel that the app does not have."""
    return ChannelQueue(
        stack,
        "ChannelQueue",
        names=_names(),
        consumer_timeout=Duration.minutes(2),
        max_receive_count=7,
        removal_policy=RemovalPolicy.RETAIN,
        encryption_key=encryption_key,
    )


def _channel_queue(stack: Stack) -> None:
    channel_queue(stack).grant_send(_router(stack))


def _encryption_key(stack: Stack) -> None:
    EncryptionKey(
        stack,
        "Encryption",
        alias="alias/ours",
        log_groups="/aws/lambda/*-processor",
        removal_policy=RemovalPolicy.RETAIN,
    )


def _conversations_table(stack: Stack) -> ConversationsTable:
    table = ConversationsTable(
        stack,
        "Conversations",
        table_name="conversations-dev",
        point_in_time_recovery=True,
        deletion_protection=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    table.grant_ledger(_router(stack))
    return table


def _channel_secrets(stack: Stack) -> ChannelSecrets:
    secrets = ChannelSecrets(
        stack,
        "Secrets",
        names=_names(),
        tenants=("one", "another-one"),
        removal_policy=RemovalPolicy.DESTROY,
    )
    secrets.grant_read(_router(stack))
    return secrets


def _critical_alerts_topic(stack: Stack) -> None:
    CriticalAlertsTopic(stack, "Alerts", topic_name="alerts-dev", email="on-call@example.com")


def _processor(stack: Stack) -> None:
    secrets = ChannelSecrets(
        stack, "Secrets", names=_names(), tenants=(), removal_policy=RemovalPolicy.DESTROY
    )
    processor = Processor(
        stack,
        "Processor",
        names=_names(),
        environment=environment(snap_start=True),
        code=stub_package().code(),
        queue=sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:111122223333:q"),
        table=dynamodb.Table.from_table_name(stack, "Table", "conversations-dev"),
        secret_prefixes=secrets.prefixes,
    )
    secrets.grant_read(processor.function)


def _on_call(stack: Stack) -> OnCall:
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:t")
    return OnCall(topic=topic, runbook="https://example.com/runbook")


def _queue(stack: Stack, name: str) -> sqs.IQueue:
    return sqs.Queue.from_queue_arn(stack, name, f"arn:aws:sqs:eu-west-1:111122223333:{name}")


def _log_group(stack: Stack) -> logs.ILogGroup:
    """Return a log group that a function writes to."""
    lambda_.CfnFunction(
        stack,
        "Function",
        code={"zipFile": "stands for the writer of the log"},
        role="arn:aws:iam::111122223333:role/push",
        logging_config={"logGroup": "/aws/lambda/push"},
    )
    return logs.LogGroup.from_log_group_name(stack, "LogGroup", "/aws/lambda/push")


def _log_alarm(stack: Stack) -> None:
    rule = AlarmRule(
        subject="HeartbeatFailure", description="What happened, and what to do.", threshold=3
    )
    LogAlarm(
        stack,
        "HeartbeatFailure",
        names=_names(),
        lines=replace(HEARTBEAT_FAILURES, rule=rule, minutes=10),
        log_group=_log_group(stack),
        on_call=_on_call(stack),
    )


def _queue_alarms(stack: Stack) -> None:
    QueueAlarms(
        stack,
        "QueueAlarms",
        names=_names(),
        queue=_queue(stack, "queue"),
        dead_letter_queue=_queue(stack, "dead-letter-queue"),
        on_call=_on_call(stack),
        patience=Duration.minutes(30),
    )


def _function_alarms(stack: Stack) -> None:
    FunctionAlarms(
        stack,
        "FunctionAlarms",
        names=_names(),
        function=lambda_.Function.from_function_name(stack, "Function", "push"),
        timeout=Duration.minutes(2),
        on_call=_on_call(stack),
    )


def _silence_alarm(stack: Stack) -> None:
    SilenceAlarm(
        stack,
        "NoMessageSent",
        names=_names(),
        queue=_queue(stack, "queue"),
        log_group=_log_group(stack),
        on_call=_on_call(stack),
    )


def _channel_dashboard(stack: Stack) -> None:
    _log_alarm(stack)
    ChannelDashboard(
        stack,
        "ChannelDashboard",
        names=_names(),
        queue=sqs.Queue.from_queue_arn(stack, "Queue", f"{SQS}:queue"),
        dead_letter_queue=sqs.Queue.from_queue_arn(stack, "DeadLetterQueue", f"{SQS}:dlq"),
        function=lambda_.Function(
            stack,
            "Watched",
            code=stub_package().code(),
            handler="push.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
        ),
        timeout=Duration.minutes(2),
        maximum_concurrency=7,
        alarms=alarms_in(stack),
    )


def _router_policy(stack: Stack) -> None:
    RouterPolicy(stack, "Router", names=_names(), channel_queue=channel_queue(stack))


def _operator_policy(stack: Stack) -> None:
    function = lambda_.Function.from_function_name(stack, "Function", "push-channel-processor-dev")
    OperatorPolicy(
        stack,
        "Operator",
        names=_names(),
        channel_queue=channel_queue(stack),
        conversations=_conversations_table(stack),
        secrets=_channel_secrets(stack),
        function=lambda_.Alias(stack, "Live", alias_name="live", version=function.latest_version),
    )


each_construct = pytest.mark.parametrize(
    "construct",
    [
        _channel_dashboard,
        _channel_queue,
        _encryption_key,
        _conversations_table,
        _channel_secrets,
        _critical_alerts_topic,
        _processor,
        _log_alarm,
        _queue_alarms,
        _function_alarms,
        _silence_alarm,
        _router_policy,
        _operator_policy,
    ],
    ids=lambda construct: construct.__name__.strip("_"),
)


@each_construct
def test_construct(construct: Callable[[Stack], object], json_snapshot: SnapshotAssertion) -> None:
    """A construct makes the resources that were reviewed, for any channel."""
    stack = Stack(new_app(), "Stack")

    construct(stack)

    assert json_snapshot == resources_of(stack)


@each_construct
def test_construct_guards_its_stack(construct: Callable[[Stack], object]) -> None:
    """Whoever uses a construct has the invariants checked over the stack that it stands in."""
    stack = Stack(new_app(), "Stack")

    construct(stack)

    assert METADATA in (stack.template_options.metadata or {})
    assert stack.node.root.node.try_find_child(Invariants.ID)
