"""The planted faults: each violates its invariants, by code and in a template."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aws_cdk import App, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from lambda_src.core.contract import REQUIRED_VARIABLES
from stacks.config.names import ChannelNames
from stacks.invariants.assembly import (
    ALARM,
    FUNCTION,
    KEY,
    LOG_GROUP,
    MAPPING,
    METRIC_FILTER,
    QUEUE,
    TABLE,
    TOPIC,
)
from stacks.invariants.configuration import PREFIXES, READ_SECRET
from stacks.invariants.consumers import VARIABLES
from stacks.invariants.data_protection import RECOVERY, TIME_TO_LIVE
from stacks.invariants.monitoring import SUBSCRIPTION
from stacks.processor import Processor
from tests.infra.constructs import ON_CALL_ADDRESS, PRODUCTION, PUSH, SampleStack
from tests.infra.invariants.templates import (
    Change,
    Templates,
    drop,
    put,
    put_metadata,
    remove,
)

Plant = Callable[[SampleStack], object]


@dataclass(frozen=True)
class Fault:
    """A planted fault, and the invariants that it violates.

    Attributes:
        violates: The names of all invariants that it violates.
        planted: What is wrong, in words.
        by_code: Plants it with constructs, in a stack that has nothing else.
        by_override: Plants it in the templates of a faultless app.
        protected: Whether the stack of the constructs has termination protection.
    """

    violates: set[str]
    planted: str
    by_code: Plant
    by_override: Change
    protected: bool = True


Row = tuple[str, Plant, Change] | tuple[str, Plant, Change, bool]
"""The fields of a fault after `violates`."""

Rows = dict[str, list[Row]]
"""Rows by the names of the invariants that they violate, separated by spaces."""


def _changed(**keys: Any) -> Plant:
    """Create a processor for an environment with other values of these keys."""
    return lambda sample: sample.processor(sample.environment(**keys))


def _production(**keys: Any) -> Plant:
    """Create all resources with data for production, except for these keys."""
    return _changed(**PRODUCTION | keys)


def _override(path: str, name: str, value: object = None, **keys: Any) -> Plant:
    """Create a processor, and override a property of a resource of its stack, or delete it."""

    def plant(sample: SampleStack) -> None:
        sample.processor(sample.environment(**keys))
        construct: Any = sample.stack
        for part in path.split("/"):
            construct = construct.node.find_child(part)
        if value is None:
            construct.node.default_child.add_property_deletion_override(name)
        else:
            construct.node.default_child.add_property_override(name, value)

    return plant


def _variable(planted: str, name: str, value: str) -> Row:
    """Set a variable to a wrong value."""
    path = f"{VARIABLES}.{name}"
    return planted, _override("Push/Function", path, value), put(FUNCTION, path, value)


# Delivery

MAIN, DEAD = "ChannelQueue4", "DeadLetterQueue"
RETENTION, VISIBILITY = "MessageRetentionPeriod", "VisibilityTimeout"
CONCURRENCY, RESERVED = "ScalingConfig.MaximumConcurrency", "ReservedConcurrentExecutions"
DELAYS = f"{VARIABLES}.SETTLE_DELAYS_SECONDS"


def _own_queue(sample: SampleStack, dead_letter_queue: sqs.Queue | None = None) -> None:
    queue = sqs.Queue(
        sample.stack,
        "Own",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        visibility_timeout=Duration.minutes(18),
        retention_period=Duration.days(4),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=8)
        if dead_letter_queue
        else None,
    )
    sample.processor(queue=queue)


def _equal_retention(sample: SampleStack) -> None:
    dead_letter_queue = sqs.Queue(
        sample.stack,
        "OwnDeadLetters",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(4),
    )
    _own_queue(sample, dead_letter_queue)


def _second(*, bounded: bool = True, reports: bool = True) -> Plant:
    return lambda sample: sample.second_mapping(bounded=bounded, reports=reports)


def _consumer_timeout(seconds: int) -> Plant:
    return lambda sample: sample.processor(queue=sample.queue(consumer_timeout=seconds))


DELIVERY: Rows = {
    "failures-are-reported": [
        ("no batch item failures", _second(reports=False), drop(MAPPING, "FunctionResponseTypes"))
    ],
    "concurrency-is-bounded": [
        ("no maximum concurrency", _second(bounded=False), drop(MAPPING, "ScalingConfig")),
        (
            "maximum concurrency of 1",
            _override("Push/Mapping", CONCURRENCY, 1),
            put(MAPPING, CONCURRENCY, 1),
        ),
        (
            "reserved concurrency of 1",
            _override("Push/Function", RESERVED, 1),
            put(FUNCTION, RESERVED, 1),
        ),
    ],
    "visibility-outlasts-function": [
        ("below the timeout", _consumer_timeout(20), put(QUEUE, VISIBILITY, 179, MAIN)),
        ("default visibility timeout", _consumer_timeout(5), drop(QUEUE, VISIBILITY, MAIN)),
    ],
    "visibility-as-advised": [
        ("below AWS's advice", _consumer_timeout(100), put(QUEUE, VISIBILITY, 1_079, MAIN))
    ],
    "given-up-messages-are-kept": [
        ("no dead-letter queue", _own_queue, drop(QUEUE, "RedrivePolicy", MAIN))
    ],
    "dead-letters-outlive-their-queue": [
        ("equal retention", _equal_retention, put(QUEUE, RETENTION, 604_800, DEAD))
    ],
    "receives-cover-settling": [
        (
            "too few receives",
            _changed(max_receive_count=5),
            put(FUNCTION, DELAYS, "1,2,3,4,5,6,7,8"),
        )
    ],
    "retention-covers-receives": [
        ("many receives", _changed(max_receive_count=100), put(QUEUE, RETENTION, 86_400, MAIN))
    ],
    "heartbeat-outpaces-visibility lease-outlasts-beats": [
        _variable("interval as long as the visibility", "HEARTBEAT_INTERVAL_SECONDS", "40")
    ],
    "heartbeat-outpaces-visibility lease-ends-before-visibility": [
        _variable("ends after one missed beat", "HEARTBEAT_VISIBILITY_SECONDS", "50")
    ],
    "lease-outlasts-beats": [_variable("lease that expires between beats", "LEASE_SECONDS", "75")],
    "lease-ends-before-visibility": [_variable("lease that is too long", "LEASE_SECONDS", "89")],
    "vendors-fit-the-function": [
        _variable("OpenAI's timeout beyond the function's", "OPENAI_TIMEOUT_SECONDS", "120"),
        _variable("Twilio's timeout beyond the function's", "TWILIO_TIMEOUT_SECONDS", "60"),
        _variable("a batch in two rounds that do not fit", "MAX_CONCURRENCY", "5"),
        ("short timeout", _changed(function_timeout_seconds=120), put(FUNCTION, "Timeout", 120)),
    ],
}

# Capacity


def _limited(**keys: Any) -> Plant:
    return _changed(**{"ai_seconds_per_message": 2} | keys)


CAPACITY: Rows = {
    "sender-keeps-up": [
        (
            "too many messages",
            _limited(messages_per_second={"push": 9}),
            put(MAPPING, CONCURRENCY, 17),
        ),
        (
            "an AI faster than the sender",
            _limited(messages_per_second={"push": 80}, ai_seconds_per_message=0.2),
            put_metadata("messages_per_second", {"whatsapp": 9.9}),
        ),
    ],
    "openai-keeps-up": [
        (
            "too many requests to OpenAI",
            _limited(openai_requests_per_minute=599),
            put_metadata("openai_requests_per_minute", 599),
        ),
        (
            "too many tokens",
            _limited(openai_tokens_per_minute=599_999, tokens_per_message=1_000),
            put_metadata("tokens_per_message", 100_001),
        ),
    ],
    "limited-channels-exist": [
        (
            "limit of an unknown channel",
            _limited(messages_per_second={"pusch": 80}),
            put_metadata("messages_per_second", {"whatsap": 80}),
        ),
        (
            "plan for an unknown channel",
            _limited(messages_per_day={"pusch": 80}),
            put_metadata("messages_per_day", {"whatsap": 80}),
        ),
    ],
    "planned-load-is-carried": [
        (
            "more messages planned than a day allows",
            _limited(messages_per_day={"push": 500_000}),
            put_metadata("messages_per_day", {"whatsapp": 2_000_000}),
        ),
        (
            "long wait at the peak",
            _limited(messages_per_day={"push": 200_000}, longest_wait_seconds=1_200),
            put_metadata("longest_wait_seconds", 1),
        ),
    ],
}

# Configuration

QUEUE_URL, DEAD_LETTER_QUEUE = f"{VARIABLES}.QUEUE_URL", "ChannelQueueDeadLetterQueue2FF975DF"
CREDENTIALS = "ai-multi-comms/dev/whatsapp-credentials/"
WHATSAPP_PREFIXES = f"ai-multi-comms/dev/openai-api-key/whatsapp,{CREDENTIALS}"


def _missing(name: str) -> Row:
    path = f"{VARIABLES}.{name}"
    return f"{name} missing", _override("Push/Function", path), drop(FUNCTION, path)


def _fed_from_another_queue(sample: SampleStack) -> None:
    app = App.of(sample.stack)
    assert app
    elsewhere = SampleStack.of(app, f"{sample.stack.node.id}Elsewhere")
    sample.second_mapping(elsewhere.queue())


def _shared_secrets(sample: SampleStack) -> Processor:
    queue = sample.queue()
    secrets = sample.secrets(ChannelNames(PUSH, sample.environment()))
    sample.processor(queue=queue, secrets=secrets)
    other = replace(PUSH, name="pull", display="Pull")
    return sample.processor(queue=queue, secrets=secrets, channel=other)


def _second_channel(prefixes: str) -> Change:
    def change(templates: Templates) -> None:
        resources = templates.bodies["WhatsApp"]["Resources"]
        for name in ("ProcessorFunction5B2A90E2", "ProcessorRole00D2607C"):
            resources[f"Sms{name}"] = copy.deepcopy(resources[name])
        policy = copy.deepcopy(resources["ProcessorRoleDefaultPolicy51E6C1DA"])
        resources["SmsPolicy"] = policy
        policy["Properties"]["Roles"] = [{"Ref": "SmsProcessorRole00D2607C"}]
        function = resources["SmsProcessorFunction5B2A90E2"]["Properties"]
        function["Role"] = {"Fn::GetAtt": ["SmsProcessorRole00D2607C", "Arn"]}
        function["Environment"]["Variables"]["SECRET_PREFIXES"] = prefixes

    return change


def _read_every_secret(sample: SampleStack) -> None:
    statement = iam.PolicyStatement(actions=[READ_SECRET], resources=["*"])
    sample.processor().function.add_to_role_policy(statement)


def _grant_all_secrets(templates: Templates) -> None:
    policy = templates.first("AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"})


def _grant_no_secret(templates: Templates) -> None:
    policy = templates.first("AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    policy["Statement"] = [
        each for each in policy["Statement"] if READ_SECRET not in each["Action"]
    ]


def _shared_prefix(sample: SampleStack) -> None:
    _shared_secrets(sample).function.add_environment("SECRET_PREFIXES", "ai-multi-comms")


CONFIGURATION: Rows = {
    "required-variables-are-set": [*map(_missing, sorted(REQUIRED_VARIABLES))],
    "variables-are-read": [
        _variable("misspelt variable", "LEASE_SECOND", "80"),
        _variable("local server's address", "TWILIO_BASE_URL", "http://127.0.0.1:80"),
    ],
    "variables-are-valid": [
        _variable("time that is not a number", "LEASE_SECONDS", "long"),
        _variable("level that does not exist", "LOG_LEVEL", "LOUD"),
        _variable("empty channel", "CHANNEL", ""),
    ],
    "heartbeat-beats-on-its-queue": [
        (
            "another queue",
            _fed_from_another_queue,
            put(FUNCTION, QUEUE_URL, {"Ref": DEAD_LETTER_QUEUE}),
        )
    ],
    "secrets-have-one-owner": [
        ("prefix of another channel", _shared_secrets, _second_channel(WHATSAPP_PREFIXES))
    ],
    "secrets-have-one-owner secrets-match-the-role": [
        ("prefix above another channel's", _shared_prefix, _second_channel("ai-multi-comms"))
    ],
    "secrets-match-the-role": [
        ("no secret is granted", lambda sample: sample.processor(grant=False), _grant_no_secret),
        ("every secret is granted", _read_every_secret, _grant_all_secrets),
        (
            "prefix without a grant",
            _override("Push/Function", PREFIXES, "ai-multi-comms/other/"),
            put(FUNCTION, PREFIXES, CREDENTIALS),
        ),
    ],
}

# Monitoring

TOPIC_POLICY = "AWS::SNS::TopicPolicy"
SUBJECT = "FinalDbUpdateFailure"
EMITTED = "AIComms/PushProcessor/Dev"
SENT = '{ $.event = "message_sent" }'
UNUSED_METRIC = [{"MetricNamespace": "Elsewhere", "MetricName": "Lines", "MetricValue": "1"}]


def _alarm_without_action(sample: SampleStack) -> None:
    sample.topic()
    sample.alarm()


def _disabled_actions(sample: SampleStack) -> None:
    alarm: Any = sample.alarm(sample.topic()).node.default_child
    alarm.actions_enabled = False


def _topic_without_subscriber(sample: SampleStack) -> None:
    sample.processor(sample.environment(tier="staging"))
    sample.alarm(sample.topic(email=None))


def _own_topic(
    sample: SampleStack, key: kms.IKey | None = None, *, may_publish: bool = True
) -> None:
    topic = sns.Topic(sample.stack, "Own", enforce_ssl=True, master_key=key)
    topic.add_subscription(subscriptions.EmailSubscription(ON_CALL_ADDRESS))
    if may_publish:
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
            )
        )
    sample.processor()
    sample.alarm(topic)


def _placeholder(sample: SampleStack) -> None:
    sample.topic("on-call@example.org")


def _topic_without_alarms(sample: SampleStack) -> None:
    _own_topic(sample, may_publish=False)


def _aws_managed_key(sample: SampleStack) -> None:
    _own_topic(sample, kms.Alias.from_alias_name(sample.stack, "Managed", "alias/aws/sns"))


def _own_key(sample: SampleStack) -> None:
    _own_topic(sample, kms.Key(sample.stack, "Key"))


def _put_key(templates: Templates) -> None:
    decrypt_only = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    templates.bodies["Shared"]["Resources"]["Key"] = {
        "Type": KEY,
        "Properties": {"KeyPolicy": {"Statement": [decrypt_only]}},
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
    }
    put(TOPIC, "KmsMasterKeyId", {"Fn::GetAtt": ["Key", "Arn"]})(templates)


def _forbid_publishing(templates: Templates) -> None:
    document = templates.first(TOPIC_POLICY)["Properties"]["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Effect"] == "Deny"]


def _filter_on_another_log(sample: SampleStack) -> None:
    sample.processor()
    sample.metric_filter(logs.LogGroup(sample.stack, "Another"), SENT)


def _pattern(planted: str, pattern: str) -> Row:
    return (
        planted,
        lambda sample: sample.metric_filter(sample.processor().log_group, pattern),
        put(METRIC_FILTER, "FilterPattern", pattern),
    )


def _event_below_log_level(sample: SampleStack) -> None:
    processor = sample.processor(sample.environment(log_level="ERROR"))
    sample.metric_filter(processor.log_group, SENT)


def _watching(namespace: str, name: str) -> Plant:
    def plant(sample: SampleStack) -> None:
        processor = sample.processor()
        processor.function.add_environment("POWERTOOLS_METRICS_NAMESPACE", EMITTED)
        sample.alarm(sample.topic(), metric=(namespace, name))

    return plant


def _another_metric_than_the_filter(sample: SampleStack) -> None:
    sample.metric_filter(sample.processor().log_group, SENT)
    sample.alarm(sample.topic(), metric=("Push", "Line"))


MONITORING: Rows = {
    "alarms-act": [
        ("alarm without an action", _alarm_without_action, drop(ALARM, "AlarmActions")),
        ("disabled actions", _disabled_actions, put(ALARM, "ActionsEnabled", value=False)),
    ],
    "alarms-are-heard": [
        ("topic without a subscriber", _topic_without_subscriber, remove(SUBSCRIPTION))
    ],
    "alert-address-is-real": [
        ("placeholder", _placeholder, put(SUBSCRIPTION, "Endpoint", "on-call@alerts.invalid"))
    ],
    "alarms-may-publish": [
        ("policy without alarms", _topic_without_alarms, _forbid_publishing),
        ("AWS's key", _aws_managed_key, put(TOPIC, "KmsMasterKeyId", "alias/aws/sns")),
        ("key that alarms may not use", _own_key, _put_key),
    ],
    "filters-read-a-functions-log": [
        ("another log", _filter_on_another_log, put(METRIC_FILTER, "LogGroupName", "/aws/lambda/x"))
    ],
    "filters-match-what-is-logged": [
        _pattern("unknown event", '{ $.event = "final_db_update_fails" }'),
        _pattern("wrong level", '{ ($.level = "CRITICAL") && ($.event = "heartbeat_failed") }'),
        _pattern("unknown level", '{ $.level = "FATAL" && $.event = "message_sent" }'),
        _pattern("one of two", '{ ($.event = "message_sent") || ($.event = "message_send") }'),
        _pattern("pattern of neither event nor level", '{ $.failure_step = "send" }'),
        _pattern("words in a log of JSON", "CRITICAL final_db_update_failed"),
        (
            "event below the log level",
            _event_below_log_level,
            put(METRIC_FILTER, "FilterPattern", '{ $.event = "verbose" }'),
        ),
    ],
    "alarms-watch-what-is-measured": [
        (
            "unused namespace",
            _watching("AIComms/PullProcessor/Dev", "MessagesSent"),
            put(ALARM, "Namespace", "AIComms/SmsProcessor/Dev", SUBJECT),
        ),
        (
            "unused name",
            _watching(EMITTED, "MessagesSend"),
            put(ALARM, "MetricName", "FinalDbUpdateFailures", SUBJECT),
        ),
        (
            "another metric than the filter's",
            _another_metric_than_the_filter,
            put(METRIC_FILTER, "MetricTransformations", UNUSED_METRIC, SUBJECT),
        ),
    ],
}

# Data protection

EXPIRY = f"{TIME_TO_LIVE}.AttributeName"
PROTECTION, SSE = "DeletionProtectionEnabled", "SqsManagedSseEnabled"


def _deleted(kind: str, attribute: str = "DeletionPolicy") -> Row:
    return (
        f"{kind.split('::')[2]} with {attribute} Delete",
        _production(removal_policy="destroy"),
        put(kind, f"/{attribute}", "Delete"),
    )


def _unprotect(templates: Templates) -> None:
    templates.protected["Shared"] = False


def _plain_queue(sample: SampleStack) -> None:
    sample.queue()
    sqs.Queue(sample.stack, "Plain", encryption=sqs.QueueEncryption.UNENCRYPTED, enforce_ssl=True)


def _queue_without_tls(sample: SampleStack) -> None:
    sample.queue()
    sqs.Queue(sample.stack, "Open", encryption=sqs.QueueEncryption.SQS_MANAGED)


def _topic_without_tls(sample: SampleStack) -> None:
    sample.topic()
    sns.Topic(sample.stack, "Open")


DATA_PROTECTION: Rows = {
    "production-data-is-retained": [
        *map(_deleted, (TABLE, QUEUE, LOG_GROUP, "AWS::SecretsManager::Secret")),
        _deleted(TABLE, "UpdateReplacePolicy"),
    ],
    "production-data-can-be-restored": [
        (
            "no recovery",
            _production(point_in_time_recovery=False),
            put(TABLE, RECOVERY, value=False),
        )
    ],
    "production-refuses-deletion": [
        ("table", _production(deletion_protection=False), put(TABLE, PROTECTION, value=False)),
        ("stack", _production(), _unprotect, False),
    ],
    "production-logs-are-kept": [
        ("short", _production(log_retention_days=14), put(LOG_GROUP, "RetentionInDays", 14))
    ],
    "records-expire-as-said": [
        (
            "no expiry attribute",
            _override("Table/Table", TIME_TO_LIVE, conversation_retention_days=30),
            drop(TABLE, TIME_TO_LIVE),
        ),
        (
            "wrong attribute",
            _override("Table/Table", EXPIRY, "ttl", conversation_retention_days=30),
            put(TABLE, EXPIRY, "ttl"),
        ),
    ],
    "queues-are-encrypted": [
        ("no encryption", _plain_queue, put(QUEUE, SSE, value=False)),
        ("no encryption setting", _plain_queue, drop(QUEUE, SSE)),
    ],
    "connections-are-encrypted": [
        ("queue", _queue_without_tls, remove("AWS::SQS::QueuePolicy", "DeadLetter")),
        ("topic", _topic_without_tls, remove(TOPIC_POLICY)),
    ],
}

FAULTS = tuple(
    Fault(set(names.split()), f"{names}: {row[0]}", *row[1:])
    for rows in (DELIVERY, CAPACITY, CONFIGURATION, MONITORING, DATA_PROTECTION)
    for names, row in ((names, row) for names, listed in rows.items() for row in listed)
)
