"""Snapshots: each construct alone, each stack's inventory, and what differs by environment."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk import Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from syrupy.assertion import SnapshotAssertion

from stacks.access_policies import OperatorPolicy, RouterPolicy
from stacks.alarms.log_alarms import HEARTBEAT_FAILURES, LogAlarm
from stacks.alarms.metric_alarms import FunctionAlarms, QueueAlarms
from stacks.alarms.no_throughput_alarm import NoThroughputAlarm
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.callback_endpoint import CallbackEndpoint
from stacks.channel_dashboard import ChannelDashboard
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames, SharedNames
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.delivery_events import DeliveryEvents
from stacks.encryption_key import EncryptionKey
from stacks.hand_off_queue import HandOffQueue
from stacks.invariants.assembly import METADATA
from stacks.invariants.plugin import Invariants
from stacks.processor import Processor
from stacks.scheduled_job import ScheduledJob
from stacks.ses_sending import SesSending
from stacks.shared_stack import SharedStack
from stacks.vendor_check import VendorCheck
from stacks.vendor_topic import VendorTopic
from tests.infra import synthesis
from tests.infra.constructs import PUSH
from tests.infra.synthesis import ENVIRONMENTS, STACKS, Synthesized, environment
from tests.infra.test_monitoring import DASHBOARD, dashboard_body

DESTROY, RETAIN, TIMEOUT = RemovalPolicy.DESTROY, RemovalPolicy.RETAIN, Duration.minutes(2)
LOG_GROUPS = "/aws/lambda/*-processor"
PYTHON = lambda_.Runtime.PYTHON_3_13
NAMES = ChannelNames(PUSH, environment())
VERSION_HASH = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")


def _role(stack: Stack) -> Any:
    service = iam.ServicePrincipal("lambda.amazonaws.com")
    return stack.node.try_find_child("Router") or iam.Role(stack, "Router", assumed_by=service)


def _queue(stack: Stack, name: str, queue: str) -> sqs.IQueue:
    return sqs.Queue.from_queue_arn(stack, name, f"arn:aws:sqs:eu-west-1:111122223333:{queue}")


def _notifier(stack: Stack) -> AlarmNotifier:
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:t")
    return AlarmNotifier(topic=topic, runbook="https://example.com/runbook")


def _log_group(stack: Stack) -> logs.ILogGroup:
    """Return a log group that a function writes to."""
    name, role = "/aws/lambda/push", "arn:aws:iam::111122223333:role/push"
    code = {"zipFile": "stands for the writer of the log"}
    lambda_.CfnFunction(stack, "Function", code=code, role=role, logging_config={"logGroup": name})
    return logs.LogGroup.from_log_group_name(stack, "LogGroup", name)


def _secrets(stack: Stack, *tenants: str) -> ChannelSecrets:
    return ChannelSecrets(stack, "Secrets", names=NAMES, tenants=tenants, removal_policy=DESTROY)


def _push_queue(stack: Stack) -> ChannelQueue:
    props: Any = {"consumer_timeout": TIMEOUT, "max_receive_count": 7, "removal_policy": RETAIN}
    return ChannelQueue(stack, "ChannelQueue", names=NAMES, **props)


def _conversations_table(stack: Stack) -> ConversationsTable:
    protection: Any = {"point_in_time_recovery": True, "deletion_protection": True}
    props: Any = {"table_name": "conversations-dev", "removal_policy": RETAIN}
    table = ConversationsTable(stack, "Conversations", **protection, **props)
    table.grant_ledger(_role(stack))
    return table


def _channel_secrets(stack: Stack) -> ChannelSecrets:
    secrets = _secrets(stack, "one", "another-one")
    secrets.grant_read(_role(stack))
    return secrets


def _processor(stack: Stack) -> None:
    secrets = _secrets(stack)
    processor = Processor(
        stack,
        "Processor",
        names=NAMES,
        environment=environment(snap_start=True),
        code=synthesis.stub_package().code(),
        queue=_queue(stack, "Queue", "q"),
        table=dynamodb.Table.from_table_name(stack, "Table", "conversations-dev"),
        secret_prefixes=secrets.prefixes,
    )
    secrets.grant_read(processor.function)


def _log_alarm(stack: Stack) -> LogAlarm:
    description = "What happened, and what to do."
    alarm = AlarmRule(subject="HeartbeatFailure", description=description, threshold=3)
    rule = replace(HEARTBEAT_FAILURES, alarm=alarm, period_minutes=10)
    props: Any = {"log_group": _log_group(stack), "notifier": _notifier(stack)}
    return LogAlarm(stack, "HeartbeatFailure", names=NAMES, rule=rule, **props)


def _function_alarms(stack: Stack) -> None:
    function = lambda_.Function.from_function_name(stack, "Function", "push")
    props: Any = {"timeout": TIMEOUT, "notifier": _notifier(stack)}
    FunctionAlarms(stack, "FunctionAlarms", names=NAMES, function=function, **props)


def _no_throughput_alarm(stack: Stack) -> None:
    props: Any = {"log_group": _log_group(stack), "notifier": _notifier(stack)}
    queue = _queue(stack, "queue", "queue")
    NoThroughputAlarm(stack, "NoMessageSent", names=NAMES, queue=queue, **props)


def _channel_dashboard(stack: Stack) -> ChannelDashboard:
    code: Any = {"code": synthesis.stub_package().code(), "handler": "push.handler"}
    return ChannelDashboard(
        stack,
        "ChannelDashboard",
        names=NAMES,
        alarms=[_log_alarm(stack).alarm],
        queue=_queue(stack, "Queue", "queue"),
        dead_letter_queue=_queue(stack, "DeadLetterQueue", "dlq"),
        function=lambda_.Function(stack, "Watched", runtime=PYTHON, **code),
        timeout=TIMEOUT,
        maximum_concurrency=7,
    )


def _operator_policy(stack: Stack) -> None:
    function = lambda_.Function.from_function_name(stack, "Function", "push-channel-processor-dev")
    OperatorPolicy(
        stack,
        "Operator",
        names=NAMES,
        channel_queue=_push_queue(stack),
        conversations=_conversations_table(stack),
        secrets=_channel_secrets(stack),
        function=lambda_.Alias(stack, "Live", alias_name="live", version=function.latest_version),
        hand_off=_new_hand_off_queue(stack),
    )


def _callback_endpoint(stack: Stack) -> CallbackEndpoint:
    own = environment(delivery_webhook=True)
    return CallbackEndpoint(stack, "Callbacks", names=SharedNames(own), environment=own)


def _delivery_events(stack: Stack) -> None:
    own = environment(**synthesis.DELIVERY)
    app: Any = stack.node.root
    shared = SharedStack(app, "Shared", environment=own)
    DeliveryEvents(
        stack,
        "DeliveryEvents",
        names=ChannelNames(PUSH, own),
        environment=own,
        conversations=shared.conversations,
        endpoint=shared.callbacks,
        code=synthesis.stub_package().code(),
        receiver_code=synthesis.stub_package(1).code(),
        secrets=_secrets(stack),
        notifier=_notifier(stack),
    )


def _new_hand_off_queue(stack: Stack) -> HandOffQueue:
    own = environment(removal_policy="retain")
    return HandOffQueue(stack, "HandOffQueue", queue_name="push-handoff-dev", environment=own)


def _hand_off_queue(stack: Stack) -> HandOffQueue:
    queue = _new_hand_off_queue(stack)
    queue.grant_put(_role(stack))
    return queue


def _scheduled_job(stack: Stack) -> None:
    queue = _push_queue(stack)
    ScheduledJob(
        stack,
        "ScheduledJob",
        names=NAMES,
        environment=environment(held_draft_alarm_hours=2),
        code=synthesis.stub_package().code(),
        conversations=_conversations_table(stack),
        channel_queue=queue,
        notifier=_notifier(stack),
    )
    code: Any = {"code": synthesis.stub_package().code(), "handler": "push.handler"}
    lambda_.EventSourceMapping(
        stack,
        "Mapping",
        target=lambda_.Function(stack, "Consumer", runtime=PYTHON, **code),
        event_source_arn=queue.queue.queue_arn,
        report_batch_item_failures=True,
        max_concurrency=2,
    )


def _vendor_topic(stack: Stack) -> VendorTopic:
    key: Any = EncryptionKey(
        stack, "Encryption", alias="alias/ours", log_groups=LOG_GROUPS, removal_policy=RETAIN
    ).key
    events = sqs.Queue(stack, "Events", encryption_master_key=key, enforce_ssl=True)
    return VendorTopic(stack, "VendorTopic", names=NAMES, events=events, encryption_key=key)


CONSTRUCTS: dict[str, Callable[[Stack], object]] = {
    "channel_dashboard": _channel_dashboard,
    "channel_queue": lambda stack: _push_queue(stack).grant_send(_role(stack)),
    "callback_endpoint": _callback_endpoint,
    "delivery_events": _delivery_events,
    "hand_off_queue": _hand_off_queue,
    "scheduled_job": _scheduled_job,
    "vendor_check": lambda stack: VendorCheck(
        stack,
        "VendorCheck",
        names=replace(NAMES, channel=replace(NAMES.channel, has_template_approval=True)),
        environment=environment(),
        code=synthesis.stub_package().code(),
        secrets=_secrets(stack),
        notifier=_notifier(stack),
    ),
    "vendor_topic": _vendor_topic,
    "ses_sending": lambda stack: SesSending(
        stack,
        "Ses",
        names=NAMES,
        identities={"acme": ("mail.example.com", "sales@example.org")},
        removal_policy=RETAIN,
        topic=_vendor_topic(stack),
    ),
    "encryption_key": lambda stack: EncryptionKey(
        stack, "Encryption", alias="alias/ours", log_groups=LOG_GROUPS, removal_policy=RETAIN
    ),
    "conversations_table": _conversations_table,
    "channel_secrets": _channel_secrets,
    "critical_alerts_topic": lambda stack: CriticalAlertsTopic(
        stack, "Alerts", topic_name="alerts-dev", email="on-call@example.com"
    ),
    "processor": _processor,
    "log_alarm": _log_alarm,
    "queue_alarms": lambda stack: QueueAlarms(
        stack,
        "QueueAlarms",
        names=NAMES,
        queue=_queue(stack, "queue", "queue"),
        dead_letter_queue=_queue(stack, "dead-letter-queue", "dead-letter-queue"),
        notifier=_notifier(stack),
        max_age=Duration.minutes(30),
    ),
    "function_alarms": _function_alarms,
    "no_throughput_alarm": _no_throughput_alarm,
    "router_policy": lambda stack: RouterPolicy(
        stack, "Router", names=NAMES, channel_queue=_push_queue(stack)
    ),
    "operator_policy": _operator_policy,
}


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_construct(construct: str, json_snapshot: SnapshotAssertion) -> None:
    """A construct creates the reviewed resources for any channel, and attaches the invariants."""
    stack = Stack(synthesis.new_app(), "Stack")
    CONSTRUCTS[construct](stack)
    assert json_snapshot == _resources(Template.from_stack(stack).to_json())
    assert METADATA in (stack.template_options.metadata or {})
    assert stack.node.root.node.try_find_child(Invariants.ID)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "console.amazonaws-eusc.eu"),
    ],
)
def test_the_dashboards_link_leads_to_the_partitions_console(region: str, host: str) -> None:
    """Each partition of AWS has its own console."""
    stack = Stack(synthesis.new_app(), "Stack", env=Environment(region=region))
    url = json.dumps(stack.resolve(_channel_dashboard(stack).url))
    assert f".{host}/cloudwatch/home" in url


@pytest.mark.parametrize("stack", [*STACKS, "Email"])
def test_stack(stack: str, dev: Synthesized, json_snapshot: SnapshotAssertion) -> None:
    """A stack has the reviewed resources, logical ids and outputs."""
    template = dev.template(stack)
    types = {_without_hash(name): part["Type"] for name, part in template["Resources"].items()}
    assert json_snapshot == {"Resources": types, "Outputs": template["Outputs"]}


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "dev"])
def test_environment(name: str, json_snapshot: SnapshotAssertion) -> None:
    """An environment differs from dev in its names and in what was reviewed, and nothing else."""
    differences = {}
    for stack in STACKS:
        dev, own = _leaves_as_dev("dev", stack), _leaves_as_dev(name, stack)
        for path in sorted(dev.keys() | own.keys()):
            if dev.get(path) != own.get(path):
                differences[f"{stack}{path}"] = [dev.get(path), own.get(path)]
    assert json_snapshot == differences


def _without_hash(text: str) -> str:
    """Remove the hashes that the CDK adds to the ids of function versions."""
    return VERSION_HASH.sub(r"\1<hash>", text)


def _resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's resources without the CDK's metadata and hashes."""
    resources = json.loads(_without_hash(json.dumps(template["Resources"])))
    for resource in resources.values():
        resource.pop("Metadata", None)
    return {name: _readable(resource) for name, resource in resources.items()}


def _readable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource with a dashboard's JSON text parsed."""
    if resource["Type"] != DASHBOARD:
        return resource
    body = {"DashboardBody": dashboard_body(resource["Properties"]["DashboardBody"])}
    return resource | {"Properties": resource["Properties"] | body}


def _leaves_as_dev(name: str, stack: str) -> dict[str, object]:
    """Return the leaves of a template with the environment's name replaced by dev's."""
    text = _without_hash(json.dumps(synthesis.synthesize(name).template(stack)))
    for other, own in ((f"-{name}", "-dev"), (f"/{name}/", "/dev/"), (f'"{name}"', '"dev"')):
        text = text.replace(other, own)
    resources = json.loads(text.replace(name.capitalize(), "Dev"))["Resources"]
    return dict(_leaves({key: _readable(resource) for key, resource in resources.items()}))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every leaf of a JSON value with its path."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{path}/{key}")
    else:
        yield path, value
