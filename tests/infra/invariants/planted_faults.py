"""The planted faults: each violates its invariants, by code and in a template."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from aws_cdk import App, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from lambda_src.core.contract import DELIVERY_LOOKUPS_PER_SECOND, REQUIRED_VARIABLES
from stacks.config import ChannelNames
from stacks.invariants.assembly import (
    ALARM,
    FUNCTION,
    KEY,
    LOG_GROUP,
    MAPPING,
    METRIC_FILTER,
    QUEUE,
    RULE,
    SUBSCRIPTION,
    TABLE,
    TOPIC,
    VARIABLES,
    Assembly,
    Template,
)
from stacks.invariants.configuration import CALLBACKS, EVENTS_QUEUE, PREFIXES, READ_SECRET
from stacks.invariants.data_protection import RECOVERY, TIME_TO_LIVE
from stacks.invariants.plugin import CATALOGUE
from stacks.processor import Processor
from stacks.scheduled_job import ScheduledJob
from stacks.vendor_topic import VendorTopic
from tests.infra.constructs import ON_CALL_ADDRESS, PRODUCTION, PUSH, SampleStack
from tests.infra.synthesis import STACKS, Synthesized

MAIN, DEAD = "ChannelQueue4", "DeadLetterQueue"
RETENTION, VISIBILITY = "MessageRetentionPeriod", "VisibilityTimeout"
RECEIVES = "RedrivePolicy.maxReceiveCount"
CONCURRENCY, RESERVED = "ScalingConfig.MaximumConcurrency", "ReservedConcurrentExecutions"
SAFE_QUEUE: Any = {"encryption": sqs.QueueEncryption.SQS_MANAGED, "enforce_ssl": True}
FIVE_DAYS = Duration.days(5)
QUEUE_URL, DEAD_LETTER_QUEUE = f"{VARIABLES}.QUEUE_URL", "ChannelQueueDeadLetterQueue2FF975DF"
JOB, HAND_OFF = "ScheduledJobFunction", "HandOffQueue"
REDRIVE = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:x", "maxReceiveCount": 3}
CREDENTIALS = "ai-multi-comms/dev/whatsapp-credentials/"
WHATSAPP_PREFIXES = f"ai-multi-comms/dev/openai-api-key/whatsapp,{CREDENTIALS}"
TOPIC_POLICY = "AWS::SNS::TopicPolicy"
ALARMS = "cloudwatch.amazonaws.com"
SUBJECT = "FinalDbUpdateFailure"
EMITTED = "AIComms/PushProcessor/Dev"
SENT = '{ $.event = "message_sent" }'
UNUSED_METRIC = [{"MetricNamespace": "Elsewhere", "MetricName": "Lines", "MetricValue": "1"}]
ELSEWHERE = "https://callbacks.example.com"
EXPIRY = f"{TIME_TO_LIVE}.AttributeName"
PROTECTION, SSE = "DeletionProtectionEnabled", "SqsManagedSseEnabled"


class Templates:
    """A copy of a synth's templates, to be changed as overrides of any kind can leave them."""

    def __init__(self, synthesized: Synthesized) -> None:
        self.bodies = {stack: copy.deepcopy(synthesized.template(stack)) for stack in STACKS}
        self.protected = dict.fromkeys(STACKS, True)

    def first(self, kind: str, named: str = "") -> dict[str, Any]:
        """Return the first resource of a type whose logical id contains a text."""
        return next(
            resource
            for body in self.bodies.values()
            for name, resource in body["Resources"].items()
            if resource["Type"] == kind and named in name
        )

    def statements(self, kind: str) -> list[dict[str, Any]]:
        """Return the statements of the first policy of a type."""
        found: list[dict[str, Any]] = self.first(kind)["Properties"]["PolicyDocument"]["Statement"]
        return found

    def violated(self) -> set[str]:
        """Return the names of the violated invariants."""
        names = {stack: f"ai-multi-comms-{stack.lower()}-dev" for stack in self.bodies}
        templates = [
            Template(stack, names[stack], body, is_protected=self.protected[stack])
            for stack, body in self.bodies.items()
        ]
        assembly = Assembly(templates)
        return {invariant.name for invariant in CATALOGUE if any(invariant.findings(assembly))}


Plant = Callable[[SampleStack], object]
Change = Callable[[Templates], object]


class Fault(NamedTuple):
    """A planted fault, the invariants that it violates, and how code and a template have it."""

    violates: set[str]
    planted: str
    by_code: Plant
    by_override: Change
    protected: bool = True


Row = tuple[str, Plant, Change] | tuple[str, Plant, Change, bool]


def _put(kind: str, path: str, value: object = None, named: str = "") -> Change:
    """Set a property, or an attribute if the path starts with `/`; None removes it."""

    def change(templates: Templates) -> None:
        resource = templates.first(kind, named)
        parent = resource if path.startswith("/") else resource["Properties"]
        *parents, last = path.removeprefix("/").split(".")
        for part in parents:
            parent = parent.setdefault(part, {})
        parent[last] = value
        if value is None:
            del parent[last]

    return change


def _put_metadata(name: str, value: object) -> Change:
    """Change what both templates say about their environment."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            body["Metadata"]["Invariants"][name] = value

    return change


def _remove(kind: str, named: str = "") -> Change:
    """Remove the resources of a type."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            resources = body["Resources"].items()
            kept = {n: r for n, r in resources if r["Type"] != kind or named not in n}
            body["Resources"] = kept

    return change


def _changed(**keys: Any) -> Plant:
    return lambda sample: sample.processor(sample.environment(**keys))


def _production(**keys: Any) -> Plant:
    return _changed(**PRODUCTION | keys)


def _override(path: str, name: str, value: object = None, **keys: Any) -> Plant:
    """Create a processor, and override a property of a resource of its stack, or delete it."""

    def plant(sample: SampleStack) -> None:
        sample.processor(sample.environment(**keys))
        construct: Any = sample.stack
        for part in path.split("/"):
            construct = construct.node.find_child(part)
        # An override with None deletes the property.
        construct.node.default_child.add_property_override(name, value)

    return plant


def _variable(planted: str, name: str, value: str | None = None) -> Row:
    path = f"{VARIABLES}.{name}"
    return planted, _override("Push/Function", path, value), _put(FUNCTION, path, value)


def _own_queue(sample: SampleStack, dead_letters: sqs.DeadLetterQueue | None = None) -> None:
    times: Any = {"visibility_timeout": Duration.minutes(18), "retention_period": FIVE_DAYS}
    own = sqs.Queue(sample.stack, "Own", **SAFE_QUEUE, **times, dead_letter_queue=dead_letters)
    sample.processor(queue=own)


def _equal_retention(sample: SampleStack) -> None:
    queue = sqs.Queue(sample.stack, "OwnDeadLetters", **SAFE_QUEUE, retention_period=FIVE_DAYS)
    _own_queue(sample, sqs.DeadLetterQueue(queue=queue, max_receive_count=18))


def _consumer_timeout(seconds: int) -> Plant:
    return lambda sample: sample.processor(queue=sample.queue(consumer_timeout=seconds))


def _limited(**keys: Any) -> Plant:
    return _changed(**{"ai_seconds_per_message": 2} | keys)


def _fed_from_another_queue(sample: SampleStack) -> None:
    app = App.of(sample.stack)
    assert app
    elsewhere = SampleStack(app, f"{sample.stack.node.id}Elsewhere")
    sample.second_mapping(elsewhere.queue())


def _consumed(sample: SampleStack, change: Callable[[ScheduledJob, SampleStack], object]) -> None:
    """Create a scheduled job whose queue feeds a processor, and change it."""
    channel_queue = sample.channel_queue()
    scheduler = sample.scheduler(channel_queue)
    sample.processor(queue=channel_queue.queue)
    change(scheduler, sample)


def _without_schedule(scheduler: ScheduledJob, _: SampleStack) -> None:
    scheduler.node.try_remove_child("Schedule")


def _without_index(_: ScheduledJob, sample: SampleStack) -> None:
    table: Any = sample.table(sample.environment()).table.node.default_child
    table.add_property_deletion_override("GlobalSecondaryIndexes")


def _to_dead_letters(scheduler: ScheduledJob, sample: SampleStack) -> None:
    queue: Any = sample.stack.node.find_child("ChannelQueue")
    scheduler.function.add_environment("QUEUE_URL", queue.dead_letter_queue.queue_url)


def _too_fast(scheduler: ScheduledJob, _: SampleStack) -> None:
    scheduler.function.add_environment(DELIVERY_LOOKUPS_PER_SECOND, "101")


def _handed_off(path: str, value: object) -> Plant:
    """Create a hand-off queue with its processor, and override a property of the queue."""

    def plant(sample: SampleStack) -> None:
        queue: Any = sample.hand_off_queue().queue.node.default_child
        queue.add_property_override(path, value)

    return plant


def _two_senders(sample: SampleStack) -> None:
    other = replace(PUSH, name="pull", display="Pull")
    queue = sample.queue()
    sample.hand_off_queue(sample.processor(queue=queue, channel=other), queue=queue)


def _open_hand_off(templates: Templates) -> None:
    policy = templates.first("AWS::SQS::QueuePolicy", "HandOffQueue")
    (deny,) = policy["Properties"]["PolicyDocument"]["Statement"]
    account = {"AWS": "arn:aws:iam::111122223333:root"}
    allow = {"Effect": "Allow", "Action": "sqs:*", "Principal": account}
    policy["Properties"]["PolicyDocument"]["Statement"] = [
        deny,
        allow | {"Resource": deny["Resource"]},
    ]


def _vendor_topic(change: Callable[[VendorTopic, sqs.IQueue], object]) -> Plant:
    """Create a topic of vendor's events whose queue feeds a processor, and change it."""

    def plant(sample: SampleStack) -> None:
        queue, names = sample.queue(), ChannelNames(PUSH, sample.environment())
        topic = VendorTopic(sample.stack, "VendorTopic", names=names, events=queue)
        topic.allow_publish("ses.amazonaws.com", "arn:aws:ses:::x")
        sample.processor(queue=queue)
        change(topic, queue)

    return plant


def _open_to(service: str, action: str) -> iam.PolicyStatement:
    principals = [iam.ServicePrincipal(service)]
    return iam.PolicyStatement(principals=principals, actions=[action], resources=["*"])


def _wrapped(topic: VendorTopic, _: sqs.IQueue) -> None:
    subscription: Any = topic.node.find_child("Subscription").node.default_child
    subscription.add_property_deletion_override("RawMessageDelivery")


def _put_topic(*, is_raw: bool, source: str | None) -> Change:
    """Add a topic that feeds the events queue; None: any resource may publish to it."""

    def change(templates: Templates) -> None:
        resources = templates.bodies["WhatsApp"]["Resources"]
        queue = next(name for name in resources if name.startswith("DeliveryEventsEventsQueueF"))
        resource = {"Fn::GetAtt": [queue, "Arn"]}
        plain = templates.first(TOPIC_POLICY)["Properties"]["PolicyDocument"]["Statement"][0]
        condition = {"StringEquals": {"aws:SourceArn": source}} if source else {}
        ses = {"Effect": "Allow", "Principal": {"Service": "ses.amazonaws.com"}, "Action": "*"}
        policy = {"Statement": [plain, ses | {"Condition": condition}]}
        fed: dict[str, Any] = {"TopicArn": {"Ref": "T"}, "Protocol": "sqs", "Endpoint": resource}
        resources["T"] = {"Type": TOPIC, "Properties": {}}
        own = {"Topics": [{"Ref": "T"}], "PolicyDocument": policy}
        resources["TPolicy"] = {"Type": TOPIC_POLICY, "Properties": own}
        fed["RawMessageDelivery"] = is_raw
        resources["TSubscription"] = {"Type": SUBSCRIPTION, "Properties": fed}

    return change


def _open_queue(templates: Templates) -> None:
    policy = templates.first("AWS::SQS::QueuePolicy", "EventsEventsQueueP")
    sns_ = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*"}
    policy["Properties"]["PolicyDocument"]["Statement"].append(sns_)


def _worker_without_prefixes(sample: SampleStack) -> None:
    function: Any = sample.processor().function.node.default_child
    function.add_property_override("FunctionName", "push-events-worker-dev")
    function.add_property_deletion_override(PREFIXES)


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
    statement = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    templates.statements("AWS::IAM::Policy").append(statement)


def _remove_statements(kind: str, value: str) -> Change:
    def change(templates: Templates) -> None:
        statements = templates.statements(kind)
        statements[:] = [each for each in statements if value not in each.values()]

    return change


def _shared_prefix(sample: SampleStack) -> None:
    _shared_secrets(sample).function.add_environment("SECRET_PREFIXES", "ai-multi-comms")


def _disabled_actions(sample: SampleStack) -> None:
    alarm: Any = sample.alarm(sample.topic()).node.default_child
    alarm.actions_enabled = False


def _topic_without_subscriber(sample: SampleStack) -> None:
    sample.processor(sample.environment(tier="staging"))
    sample.alarm(sample.topic(email=None))


def _own_topic(sample: SampleStack, key: kms.IKey | None = None, service: str = ALARMS) -> None:
    topic = sns.Topic(sample.stack, "Own", enforce_ssl=True, master_key=key)
    topic.add_subscription(subscriptions.EmailSubscription(ON_CALL_ADDRESS))
    allowed: Any = {"actions": ["sns:Publish"], "resources": [topic.topic_arn]}
    permission = iam.PolicyStatement(principals=[iam.ServicePrincipal(service)], **allowed)
    topic.add_to_resource_policy(permission)  # `grant_publish` would also grant use of the key
    sample.processor()
    sample.alarm(topic)


def _aws_managed_key(sample: SampleStack) -> None:
    _own_topic(sample, kms.Alias.from_alias_name(sample.stack, "Managed", "alias/aws/sns"))


def _put_key(templates: Templates) -> None:
    allowed = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    decrypt_only = {**allowed, "Principal": {"Service": ALARMS}}
    retained = dict.fromkeys(("DeletionPolicy", "UpdateReplacePolicy"), "Retain")
    key = {"Type": KEY, "Properties": {"KeyPolicy": {"Statement": [decrypt_only]}}, **retained}
    templates.bodies["Shared"]["Resources"]["Key"] = key
    _put(TOPIC, "KmsMasterKeyId", {"Fn::GetAtt": ["Key", "Arn"]})(templates)


def _filter_on_another_log(sample: SampleStack) -> None:
    sample.processor()
    sample.metric_filter(logs.LogGroup(sample.stack, "Another"), SENT)


def _pattern(planted: str, pattern: str) -> Row:
    return (
        planted,
        lambda sample: sample.metric_filter(sample.processor().log_group, pattern),
        _put(METRIC_FILTER, "FilterPattern", pattern),
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


def _deleted(kind: str, attribute: str = "DeletionPolicy") -> Row:
    return (
        f"{kind.split('::')[2]} with {attribute} Delete",
        _production(removal_policy="destroy"),
        _put(kind, f"/{attribute}", "Delete"),
    )


def _expiring(path: str, value: object = None) -> Plant:
    return _override("Table/Table", path, value, conversation_retention_days=30)


def _other_queue(**options: Any) -> Plant:
    """Create a channel's queue, and another one with changed options."""

    def plant(sample: SampleStack) -> None:
        sample.queue()
        sqs.Queue(sample.stack, "Other", **SAFE_QUEUE | options)

    return plant


PLAIN_QUEUE = _other_queue(encryption=sqs.QueueEncryption.UNENCRYPTED)

# fmt: off
ROWS: dict[str, list[Row]] = {
    # Delivery
    "failures-are-reported": [
        ("no batch item failures", lambda sample: sample.second_mapping(reports=False),
         _put(MAPPING, "FunctionResponseTypes"))],
    "concurrency-is-bounded": [
        ("no maximum concurrency", lambda sample: sample.second_mapping(bounded=False),
         _put(MAPPING, "ScalingConfig")),
        ("maximum concurrency of 1",
         _override("Push/Mapping", CONCURRENCY, 1), _put(MAPPING, CONCURRENCY, 1)),
        ("reserved concurrency of 1",
         _override("Push/Function", RESERVED, 1), _put(FUNCTION, RESERVED, 1))],
    "visibility-outlasts-function": [
        ("below the timeout", _consumer_timeout(20), _put(QUEUE, VISIBILITY, 179, MAIN)),
        ("default visibility timeout", _consumer_timeout(5), _put(QUEUE, VISIBILITY, named=MAIN))],
    "visibility-as-advised": [
        ("below AWS's advice", _consumer_timeout(100), _put(QUEUE, VISIBILITY, 1_079, MAIN))],
    "given-up-messages-are-kept": [
        ("no dead-letter queue", _own_queue, _put(QUEUE, "RedrivePolicy", named=MAIN))],
    "dead-letters-outlive-their-queue": [
        ("equal retention", _equal_retention, _put(QUEUE, RETENTION, 604_800, DEAD))],
    "receives-cover-settling": [
        _variable("more lookups than receives", "SETTLE_DELAYS_SECONDS", ",".join("1" * 20))],
    "receives-cover-account-refusals": [
        ("too few receives", _changed(max_receive_count=16), _put(QUEUE, RECEIVES, 16, MAIN))],
    "retention-covers-receives": [
        ("many receives", _changed(max_receive_count=100), _put(QUEUE, RETENTION, 86_400, MAIN))],
    "heartbeat-outpaces-visibility lease-outlasts-beats": [
        _variable("interval as long as the visibility", "HEARTBEAT_INTERVAL_SECONDS", "40")],
    "heartbeat-outpaces-visibility lease-ends-before-visibility": [
        _variable("ends after one missed beat", "HEARTBEAT_VISIBILITY_SECONDS", "50")],
    "lease-outlasts-beats": [_variable("lease that expires between beats", "LEASE_SECONDS", "75")],
    "lease-ends-before-visibility": [_variable("lease that is too long", "LEASE_SECONDS", "89")],
    "vendors-fit-the-function": [
        _variable("OpenAI's timeout beyond the function's", "OPENAI_TIMEOUT_SECONDS", "120"),
        _variable("Twilio's timeout beyond the function's", "TWILIO_TIMEOUT_SECONDS", "60"),
        _variable("a batch in two rounds that do not fit", "MAX_CONCURRENCY", "5"),
        ("short timeout", _changed(function_timeout_seconds=120), _put(FUNCTION, "Timeout", 120))],
    # Capacity
    "sender-keeps-up": [
        ("too many messages",
         _limited(messages_per_second={"push": 9}), _put(MAPPING, CONCURRENCY, 17)),
        ("an AI faster than the sender",
         _limited(messages_per_second={"push": 80}, ai_seconds_per_message=0.2),
         _put_metadata("messages_per_second", {"whatsapp": 9.9}))],
    "openai-keeps-up": [
        ("too many requests to OpenAI", _limited(openai_requests_per_minute=599),
         _put_metadata("openai_requests_per_minute", 599)),
        ("too many tokens", _limited(openai_tokens_per_minute=599_999, tokens_per_message=1_000),
         _put_metadata("tokens_per_message", 100_001))],
    "limited-channels-exist": [
        ("limit of an unknown channel", _limited(messages_per_second={"pusch": 80}),
         _put_metadata("messages_per_second", {"whatsap": 80})),
        ("plan for an unknown channel", _limited(messages_per_day={"pusch": 80}),
         _put_metadata("messages_per_day", {"whatsap": 80}))],
    "planned-load-is-carried": [
        ("more messages planned than a day allows", _limited(messages_per_day={"push": 500_000}),
         _put_metadata("messages_per_day", {"whatsapp": 2_000_000})),
        ("long wait at the peak",
         _limited(messages_per_day={"push": 200_000}, longest_wait_seconds=1_200),
         _put_metadata("longest_wait_seconds", 1))],
    # Configuration
    "required-variables-are-set": [
        _variable(f"{name} missing", name) for name in sorted(REQUIRED_VARIABLES)],
    "variables-are-read": [
        _variable("misspelt variable", "LEASE_SECOND", "80"),
        _variable("local server's address", "TWILIO_BASE_URL", "http://127.0.0.1:80")],
    "variables-are-valid": [
        _variable("time that is not a number", "LEASE_SECONDS", "long"),
        _variable("level that does not exist", "LOG_LEVEL", "LOUD"),
        _variable("empty channel", "CHANNEL", ""),
        ("rate of lookups that is too high", lambda sample: _consumed(sample, _too_fast),
         _put(FUNCTION, f"{VARIABLES}.{DELIVERY_LOOKUPS_PER_SECOND}", "101", JOB))],
    "heartbeat-beats-on-its-queue": [
        ("another queue", _fed_from_another_queue,
         _put(FUNCTION, QUEUE_URL, {"Ref": DEAD_LETTER_QUEUE}))],
    "callbacks-are-received": [
        ("callbacks elsewhere", _override("Push/Function", CALLBACKS, ELSEWHERE),
         _put(FUNCTION, CALLBACKS, ELSEWHERE)),
        ("callbacks without a consumer", lambda sample: sample.receiver(sample.queue()),
         _put(FUNCTION, EVENTS_QUEUE, {"Ref": DEAD_LETTER_QUEUE}, "Receiver"))],
    "vendor-events-are-authentic": [
        ("events of any topic",
         _vendor_topic(lambda _, queue: queue.add_to_resource_policy(
             _open_to("sns.amazonaws.com", "sqs:SendMessage"))), _open_queue),
        ("events of any resource",
         _vendor_topic(lambda topic, _: topic.topic.add_to_resource_policy(
             _open_to("ses.amazonaws.com", "sns:Publish"))),
         _put_topic(is_raw=True, source=None)),
        ("events in an envelope", _vendor_topic(_wrapped),
         _put_topic(is_raw=False, source="arn:aws:ses:::x"))],
    "scheduled-jobs-run": [
        ("lookups without a consumer", lambda sample: sample.scheduler(),
         _put(FUNCTION, EVENTS_QUEUE, {"Ref": DEAD_LETTER_QUEUE}, JOB)),
        ("approved messages without a consumer", lambda sample: _consumed(sample, _to_dead_letters),
         _put(FUNCTION, QUEUE_URL, {"Ref": DEAD_LETTER_QUEUE}, JOB)),
        ("job that never runs", lambda sample: _consumed(sample, _without_schedule),
         _put(RULE, "State", "DISABLED", JOB.removesuffix("Function"))),
        ("check that never runs",
         lambda sample: sample.vendor_check().node.try_remove_child("Schedule"),
         _put(RULE, "State", "DISABLED", "VendorCheck")),
        ("job without an index", lambda sample: _consumed(sample, _without_index),
         _put(TABLE, "GlobalSecondaryIndexes"))],
    "hand-offs-are-kept": [
        ("redrive policy", _handed_off("RedrivePolicy", REDRIVE),
         _put(QUEUE, "RedrivePolicy", REDRIVE, HAND_OFF)),
        ("default retention", _handed_off(RETENTION, None), _put(QUEUE, RETENTION, named=HAND_OFF)),
        ("another sender", _two_senders, _open_hand_off)],
    "secrets-have-one-owner": [
        ("prefix of another channel", _shared_secrets, _second_channel(WHATSAPP_PREFIXES))],
    "secrets-have-one-owner secrets-match-the-role": [
        ("prefix above another channel's", _shared_prefix, _second_channel("ai-multi-comms"))],
    "secrets-match-the-role": [
        ("no secret is granted", lambda sample: sample.processor(grant=False),
         _remove_statements("AWS::IAM::Policy", READ_SECRET)),
        ("worker that names no secrets", _worker_without_prefixes,
         _put(FUNCTION, PREFIXES, None, "Worker")),
        ("every secret is granted", _read_every_secret, _grant_all_secrets),
        ("prefix without a grant", _override("Push/Function", PREFIXES, "ai-multi-comms/other/"),
         _put(FUNCTION, PREFIXES, CREDENTIALS))],
    # Monitoring
    "alarms-act": [
        ("alarm without an action", lambda sample: (sample.topic(), sample.alarm()),
         _put(ALARM, "AlarmActions")),
        ("disabled actions", _disabled_actions, _put(ALARM, "ActionsEnabled", value=False))],
    "alarms-are-heard": [
        ("topic without a subscriber", _topic_without_subscriber, _remove(SUBSCRIPTION))],
    "alert-address-is-real": [
        ("placeholder", lambda sample: sample.topic("on-call@example.org"),
         _put(SUBSCRIPTION, "Endpoint", "on-call@alerts.invalid"))],
    "alarms-may-publish": [
        ("policy without alarms", lambda sample: _own_topic(sample, service="events.amazonaws.com"),
         _remove_statements(TOPIC_POLICY, "Allow")),
        ("AWS's key", _aws_managed_key, _put(TOPIC, "KmsMasterKeyId", "alias/aws/sns")),
        ("key that alarms may not use",
         lambda sample: _own_topic(sample, kms.Key(sample.stack, "Key")), _put_key)],
    "filters-read-a-functions-log": [
        ("another log", _filter_on_another_log,
         _put(METRIC_FILTER, "LogGroupName", "/aws/lambda/x"))],
    "filters-match-what-is-logged": [
        _pattern("unknown event", '{ $.event = "final_db_update_fails" }'),
        _pattern("wrong level", '{ ($.level = "CRITICAL") && ($.event = "heartbeat_failed") }'),
        _pattern("unknown level", '{ $.level = "FATAL" && $.event = "message_sent" }'),
        _pattern("one of two", '{ ($.event = "message_sent") || ($.event = "message_send") }'),
        _pattern("pattern of neither event nor level", '{ $.failure_step = "send" }'),
        _pattern("words in a log of JSON", "CRITICAL final_db_update_failed"),
        ("event below the log level", _event_below_log_level,
         _put(METRIC_FILTER, "FilterPattern", '{ $.event = "verbose" }'))],
    "alarms-watch-what-is-measured": [
        ("unused namespace", _watching("AIComms/PullProcessor/Dev", "MessagesSent"),
         _put(ALARM, "Namespace", "AIComms/SmsProcessor/Dev", SUBJECT)),
        ("unused name", _watching(EMITTED, "MessagesSend"),
         _put(ALARM, "MetricName", "FinalDbUpdateFailures", SUBJECT)),
        ("another metric than the filter's", _another_metric_than_the_filter,
         _put(METRIC_FILTER, "MetricTransformations", UNUSED_METRIC, SUBJECT))],
    # Data protection
    "production-data-is-retained": [
        *map(_deleted, (TABLE, QUEUE, LOG_GROUP, "AWS::SecretsManager::Secret")),
        _deleted(TABLE, "UpdateReplacePolicy")],
    "production-data-can-be-restored": [
        ("no recovery", _production(point_in_time_recovery=False),
         _put(TABLE, RECOVERY, value=False))],
    "production-refuses-deletion": [
        ("table", _production(deletion_protection=False), _put(TABLE, PROTECTION, value=False)),
        ("stack", _production(),
         lambda templates: templates.protected.update(Shared=False), False)],
    "production-logs-are-kept": [
        ("short", _production(log_retention_days=14), _put(LOG_GROUP, "RetentionInDays", 14))],
    "records-expire-as-said": [
        ("no expiry attribute", _expiring(TIME_TO_LIVE), _put(TABLE, TIME_TO_LIVE)),
        ("wrong attribute", _expiring(EXPIRY, "ttl"), _put(TABLE, EXPIRY, "ttl"))],
    "queues-are-encrypted": [
        ("no encryption", PLAIN_QUEUE, _put(QUEUE, SSE, value=False)),
        ("no encryption setting", PLAIN_QUEUE, _put(QUEUE, SSE))],
    "connections-are-encrypted": [
        ("queue", _other_queue(enforce_ssl=False), _remove("AWS::SQS::QueuePolicy", "DeadLetter")),
        ("topic", lambda sample: (sample.topic(), sns.Topic(sample.stack, "Open")),
         _remove(TOPIC_POLICY))],
}
# fmt: on
"""The other fields of faults, by the invariants that they violate, separated by spaces."""

FAULTS = tuple(
    Fault(set(names.split()), f"{names}: {row[0]}", *row[1:])
    for names, rows in ROWS.items()
    for row in rows
)
