"""The planted faults: each changes an environment's templates and violates its invariants."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from lambda_src.core.contract import DELIVERY_LOOKUPS_PER_SECOND, REQUIRED_VARIABLES
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
from stacks.invariants.configuration import CALLBACKS, EVENTS_QUEUE, PREFIXES, READ_SECRET, SEND
from stacks.invariants.data_protection import RECOVERY, TIME_TO_LIVE
from stacks.invariants.plugin import CATALOGUE
from tests.infra.synthesis import STACKS, Synthesized

MAIN, DEAD = "ChannelQueue4", "DeadLetterQueue"
RETENTION, VISIBILITY = "MessageRetentionPeriod", "VisibilityTimeout"
RECEIVES = "RedrivePolicy.maxReceiveCount"
CONCURRENCY, RESERVED = "ScalingConfig.MaximumConcurrency", "ReservedConcurrentExecutions"
QUEUE_URL, DEAD_LETTER_QUEUE = f"{VARIABLES}.QUEUE_URL", "ChannelQueueDeadLetterQueue2FF975DF"
JOB, HAND_OFF = "ScheduledJobFunction", "HandOffQueue"
REDRIVE = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:x", "maxReceiveCount": 3}
CREDENTIALS = "ai-multi-comms/dev/whatsapp-credentials/"
WHATSAPP_PREFIXES = f"ai-multi-comms/dev/openai-api-key/whatsapp,{CREDENTIALS}"
POLICY, TOPIC_POLICY = "AWS::IAM::Policy", "AWS::SNS::TopicPolicy"
ALARMS = "cloudwatch.amazonaws.com"
SUBJECT = "FinalDbUpdateFailure"
UNUSED_METRIC = [{"MetricNamespace": "Elsewhere", "MetricName": "Lines", "MetricValue": "1"}]
ELSEWHERE = "https://callbacks.example.com"
EXPIRY = f"{TIME_TO_LIVE}.AttributeName"
PROTECTION, SSE = "DeletionProtectionEnabled", "SqsManagedSseEnabled"
SNS_KEY = "arn:aws:kms:${AWS::Region}:${AWS::AccountId}:alias/aws/sns"


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

    def statements(self, kind: str, named: str = "") -> list[dict[str, Any]]:
        """Return the statements of the first policy of a type whose logical id contains a text."""
        policy = self.first(kind, named)["Properties"]["PolicyDocument"]
        found: list[dict[str, Any]] = policy["Statement"]
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


Change = Callable[[Templates], object]


class Fault(NamedTuple):
    """A planted fault, the invariants that it violates, and the change of the templates."""

    violates: set[str]
    planted: str
    change: Change


Row = tuple[str, Change]


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


def _variable(planted: str, name: str, value: str | None = None) -> Row:
    return planted, _put(FUNCTION, f"{VARIABLES}.{name}", value)


def _open_hand_off(templates: Templates) -> None:
    (deny,) = statements = templates.statements("AWS::SQS::QueuePolicy", HAND_OFF)
    account = {"AWS": "arn:aws:iam::111122223333:root"}
    allow = {"Effect": "Allow", "Action": "sqs:*", "Principal": account}
    statements.append(allow | {"Resource": deny["Resource"]})


def _hand_off_by_the_worker(templates: Templates) -> None:
    put = [each for each in templates.statements(POLICY) if each["Action"] == SEND]
    templates.statements(POLICY, "Worker").extend(put)


def _put_topic(*, is_raw: bool, source: str | None) -> Change:
    """Add a topic that feeds the events queue; None: any resource may publish to it."""

    def change(templates: Templates) -> None:
        resources = templates.bodies["WhatsApp"]["Resources"]
        queue = next(name for name in resources if name.startswith("DeliveryEventsEventsQueueF"))
        resource = {"Fn::GetAtt": [queue, "Arn"]}
        plain = templates.statements(TOPIC_POLICY)[0]
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
    sns = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*"}
    templates.statements("AWS::SQS::QueuePolicy", "EventsEventsQueueP").append(sns)


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


def _grant_all_secrets(templates: Templates) -> None:
    statement = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    templates.statements(POLICY).append(statement)


def _remove_statements(kind: str, value: str) -> Change:
    def change(templates: Templates) -> None:
        statements = templates.statements(kind)
        statements[:] = [each for each in statements if value not in each.values()]

    return change


def _put_key(templates: Templates) -> None:
    allowed = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    decrypt_only = {**allowed, "Principal": {"Service": ALARMS}}
    retained = dict.fromkeys(("DeletionPolicy", "UpdateReplacePolicy"), "Retain")
    key = {"Type": KEY, "Properties": {"KeyPolicy": {"Statement": [decrypt_only]}}, **retained}
    templates.bodies["Shared"]["Resources"]["Key"] = key
    _put(TOPIC, "KmsMasterKeyId", {"Fn::GetAtt": ["Key", "Arn"]})(templates)


def _pattern(planted: str, pattern: str) -> Row:
    return planted, _put(METRIC_FILTER, "FilterPattern", pattern)


def _deleted(kind: str, attribute: str = "DeletionPolicy") -> Row:
    return f"{kind.split('::')[2]} with {attribute} Delete", _put(kind, f"/{attribute}", "Delete")


ROWS: dict[str, list[Row]] = {
    # Delivery
    "failures-are-reported": [
        ("no batch item failures", _put(MAPPING, "FunctionResponseTypes")),
    ],
    "concurrency-is-bounded": [
        ("no maximum concurrency", _put(MAPPING, "ScalingConfig")),
        ("maximum concurrency of 1", _put(MAPPING, CONCURRENCY, 1)),
        ("reserved concurrency of 1", _put(FUNCTION, RESERVED, 1)),
    ],
    "visibility-outlasts-function": [
        ("below the timeout", _put(QUEUE, VISIBILITY, 179, MAIN)),
        ("default visibility timeout", _put(QUEUE, VISIBILITY, named=MAIN)),
    ],
    "visibility-as-advised": [("below AWS's advice", _put(QUEUE, VISIBILITY, 1_079, MAIN))],
    "given-up-messages-are-kept": [
        ("no dead-letter queue", _put(QUEUE, "RedrivePolicy", named=MAIN)),
    ],
    "dead-letters-outlive-their-queue": [
        ("equal retention", _put(QUEUE, RETENTION, 604_800, DEAD))
    ],
    "receives-cover-settling": [
        _variable("more lookups than receives", "SETTLE_DELAYS_SECONDS", ",".join("1" * 20)),
    ],
    "receives-cover-account-refusals": [("too few receives", _put(QUEUE, RECEIVES, 16, MAIN))],
    "retention-covers-receives": [("many receives", _put(QUEUE, RETENTION, 86_400, MAIN))],
    "heartbeat-outpaces-visibility lease-outlasts-beats": [
        _variable("interval as long as the visibility", "HEARTBEAT_INTERVAL_SECONDS", "40"),
    ],
    "heartbeat-outpaces-visibility lease-ends-before-visibility": [
        _variable("ends after one missed beat", "HEARTBEAT_VISIBILITY_SECONDS", "50"),
    ],
    "lease-outlasts-beats": [_variable("lease that expires between beats", "LEASE_SECONDS", "75")],
    "lease-ends-before-visibility": [_variable("lease that is too long", "LEASE_SECONDS", "89")],
    "vendors-fit-the-function": [
        _variable("OpenAI's timeout beyond the function's", "OPENAI_TIMEOUT_SECONDS", "120"),
        _variable("Twilio's timeout beyond the function's", "TWILIO_TIMEOUT_SECONDS", "60"),
        _variable("a batch in two rounds that do not fit", "MAX_CONCURRENCY", "5"),
        ("short timeout", _put(FUNCTION, "Timeout", 120)),
    ],
    # Capacity
    "sender-keeps-up": [
        ("too many messages", _put(MAPPING, CONCURRENCY, 17)),
        (
            "an AI faster than the sender",
            _put_metadata("messages_per_second", {"whatsapp": 9.9}),
        ),
    ],
    "openai-keeps-up": [
        ("too many requests to OpenAI", _put_metadata("openai_requests_per_minute", 599)),
        ("too many tokens", _put_metadata("tokens_per_message", 100_001)),
    ],
    "limited-channels-exist": [
        ("limit of an unknown channel", _put_metadata("messages_per_second", {"whatsap": 80})),
        ("plan for an unknown channel", _put_metadata("messages_per_day", {"whatsap": 80})),
    ],
    "planned-load-is-carried": [
        (
            "more messages planned than a day allows",
            _put_metadata("messages_per_day", {"whatsapp": 2_000_000}),
        ),
        ("long wait at the peak", _put_metadata("longest_wait_seconds", 1)),
    ],
    # Configuration
    "required-variables-are-set": [
        _variable(f"{name} missing", name) for name in sorted(REQUIRED_VARIABLES)
    ],
    "variables-are-read": [
        _variable("misspelt variable", "LEASE_SECOND", "80"),
        _variable("local server's address", "TWILIO_BASE_URL", "http://127.0.0.1:80"),
    ],
    "variables-are-valid": [
        _variable("time that is not a number", "LEASE_SECONDS", "long"),
        _variable("level that does not exist", "LOG_LEVEL", "LOUD"),
        _variable("empty channel", "CHANNEL", ""),
        (
            "rate of lookups that is too high",
            _put(FUNCTION, f"{VARIABLES}.{DELIVERY_LOOKUPS_PER_SECOND}", "101", JOB),
        ),
    ],
    "heartbeat-beats-on-its-queue": [
        ("another queue", _put(FUNCTION, QUEUE_URL, {"Ref": DEAD_LETTER_QUEUE})),
    ],
    "callbacks-are-received": [
        ("callbacks elsewhere", _put(FUNCTION, CALLBACKS, ELSEWHERE)),
        (
            "callbacks without a consumer",
            _put(FUNCTION, EVENTS_QUEUE, {"Ref": DEAD_LETTER_QUEUE}, "Receiver"),
        ),
    ],
    "vendor-events-are-authentic": [
        ("events of any topic", _open_queue),
        ("events of any resource", _put_topic(is_raw=True, source=None)),
        ("events in an envelope", _put_topic(is_raw=False, source="arn:aws:ses:::x")),
    ],
    "scheduled-jobs-run": [
        (
            "lookups without a consumer",
            _put(FUNCTION, EVENTS_QUEUE, {"Ref": DEAD_LETTER_QUEUE}, JOB),
        ),
        (
            "approved messages without a consumer",
            _put(FUNCTION, QUEUE_URL, {"Ref": DEAD_LETTER_QUEUE}, JOB),
        ),
        ("job that never runs", _put(RULE, "State", "DISABLED", JOB.removesuffix("Function"))),
        ("check that never runs", _remove(RULE, "VendorCheck")),
        ("job without an index", _put(TABLE, "GlobalSecondaryIndexes")),
    ],
    "hand-offs-are-kept": [
        ("redrive policy", _put(QUEUE, "RedrivePolicy", REDRIVE, HAND_OFF)),
        ("default retention", _put(QUEUE, RETENTION, named=HAND_OFF)),
        ("another account", _open_hand_off),
        ("another sender", _hand_off_by_the_worker),
    ],
    "secrets-have-one-owner": [
        ("prefix of another channel", _second_channel(WHATSAPP_PREFIXES)),
    ],
    "secrets-have-one-owner secrets-match-the-role": [
        ("prefix above another channel's", _second_channel("ai-multi-comms")),
    ],
    "secrets-match-the-role": [
        ("no secret is granted", _remove_statements(POLICY, READ_SECRET)),
        ("worker that names no secrets", _put(FUNCTION, PREFIXES, None, "Worker")),
        ("every secret is granted", _grant_all_secrets),
        ("prefix without a grant", _put(FUNCTION, PREFIXES, CREDENTIALS)),
    ],
    # Monitoring
    "alarms-act": [
        ("alarm without an action", _put(ALARM, "AlarmActions")),
        ("disabled actions", _put(ALARM, "ActionsEnabled", value=False)),
    ],
    "alarms-are-heard": [("topic without a subscriber", _remove(SUBSCRIPTION))],
    "alert-address-is-real": [
        ("placeholder", _put(SUBSCRIPTION, "Endpoint", "on-call@alerts.invalid")),
    ],
    "alarms-may-publish": [
        ("policy without alarms", _remove_statements(TOPIC_POLICY, "Allow")),
        ("AWS's key", _put(TOPIC, "KmsMasterKeyId", "alias/aws/sns")),
        ("AWS's key by its ARN", _put(TOPIC, "KmsMasterKeyId", {"Fn::Sub": SNS_KEY})),
        ("key that alarms may not use", _put_key),
    ],
    "filters-read-a-functions-log": [
        ("another log", _put(METRIC_FILTER, "LogGroupName", "/aws/lambda/x")),
    ],
    "filters-match-what-is-logged": [
        _pattern("unknown event", '{ $.event = "final_db_update_fails" }'),
        _pattern("wrong level", '{ ($.level = "CRITICAL") && ($.event = "heartbeat_failed") }'),
        _pattern("unknown level", '{ $.level = "FATAL" && $.event = "message_sent" }'),
        _pattern("one of two", '{ ($.event = "message_sent") || ($.event = "message_send") }'),
        _pattern("pattern of neither event nor level", '{ $.failure_step = "send" }'),
        _pattern("words in a log of JSON", "CRITICAL final_db_update_failed"),
        _pattern("event below the log level", '{ $.event = "verbose" }'),
    ],
    "alarms-watch-what-is-measured": [
        ("unused namespace", _put(ALARM, "Namespace", "AIComms/SmsProcessor/Dev", SUBJECT)),
        ("unused name", _put(ALARM, "MetricName", "FinalDbUpdateFailures", SUBJECT)),
        (
            "another metric than the filter's",
            _put(METRIC_FILTER, "MetricTransformations", UNUSED_METRIC, SUBJECT),
        ),
    ],
    # Data protection
    "production-data-is-retained": [
        *map(_deleted, (TABLE, QUEUE, LOG_GROUP, "AWS::SecretsManager::Secret")),
        _deleted(TABLE, "UpdateReplacePolicy"),
    ],
    "production-data-can-be-restored": [("no recovery", _put(TABLE, RECOVERY, value=False))],
    "production-refuses-deletion": [
        ("table", _put(TABLE, PROTECTION, value=False)),
        ("stack", lambda templates: templates.protected.update(Shared=False)),
    ],
    "production-logs-are-kept": [("short", _put(LOG_GROUP, "RetentionInDays", 14))],
    "records-expire-as-said": [
        ("no expiry attribute", _put(TABLE, TIME_TO_LIVE)),
        ("wrong attribute", _put(TABLE, EXPIRY, "ttl")),
    ],
    "queues-are-encrypted": [
        ("no encryption", _put(QUEUE, SSE, value=False)),
        ("no encryption setting", _put(QUEUE, SSE)),
    ],
    "connections-are-encrypted": [
        ("queue", _remove("AWS::SQS::QueuePolicy", "DeadLetter")),
        ("topic", _remove(TOPIC_POLICY)),
    ],
}
"""The names and changes of faults, by the invariants that they violate, separated by spaces."""

FAULTS = tuple(
    Fault(set(names.split()), f"{names}: {planted}", change)
    for names, rows in ROWS.items()
    for planted, change in rows
)
