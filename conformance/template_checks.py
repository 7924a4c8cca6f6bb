"""Checks of a channel's synthesized template."""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.subject import Subject
from lambda_src.core import ConfigurationError, Settings
from lambda_src.core.contract import (
    DELIVERY_LOOKUPS_PER_SECOND,
    EVENTS_QUEUE_URL,
    METRICS_NAMESPACE,
    UNSET_VARIABLES,
    Variable,
)
from stacks.alarms.log_alarms import log_alarm_rules
from stacks.grants import readable_secrets
from stacks.invariants.assembly import DEPLOYED

MIN_RECEIVES = 5
ALARMS = (
    "DeadLetters",
    "MoreDeadLetters",
    "OldestMessage",
    "FunctionErrors",
    "FunctionThrottles",
    "FunctionNearTimeout",
    "NoMessageSent",
)
"""Subjects of the alarms besides those of log lines."""
EVENT_LINES = ("SecondMessageSuspected", "CallbackContradictsRecord")
EVENT_ALARMS = (
    *("EventsDeadLetters", "OldestEvent", "EventsWorkerErrors", "EventsWorkerThrottles"),
    *("UndeliveredShare", *EVENT_LINES),
)
"""Subjects of the alarms over delivery events."""
WEBHOOK_ALARMS = ("ReceiverErrors", "ReceiverThrottles", "NoCallbacks")
SWEEP_ALARMS = ("OldestLookupDue", "SchedulerErrors")

_LOG = frozenset({"logs:CreateLogStream", "logs:PutLogEvents"})
_CONSUME = frozenset(
    {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
)
READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action's name
PROCESSOR_ACTIONS = frozenset(
    {
        *(_LOG | _CONSUME),
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        READ_SECRET,
    }
)
"""The complete privileges of a processor."""
WORKER_ACTIONS = frozenset(
    {*(_LOG | _CONSUME), "dynamodb:GetItem", "dynamodb:UpdateItem", READ_SECRET}
)
"""Those of an events worker."""
RECEIVER_ACTIONS = frozenset({*_LOG, "sqs:SendMessage"})
"""Those of a receiver."""
SCHEDULER_ACTIONS = frozenset(
    {*_LOG, "dynamodb:Query", "sqs:GetQueueAttributes", "sqs:SendMessage"}
)
"""Those of the scheduled job."""


def check_resource_names(subject: Subject) -> Iterator[str]:
    """Check that the resources that other systems refer to have the channel's names."""
    names = subject.names
    environment = names.environment
    lines = [each.alarm.subject for each in log_alarm_rules(MIN_RECEIVES, "")]
    queues = {names.queue, names.dead_letter_queue}
    filters, alarms = {*lines, "MessageSent"}, {*lines, *ALARMS}
    if environment.has_delivery_events:
        queues |= {names.events.queue, names.events.dead_letter_queue}
        filters |= {*EVENT_LINES, "LateVendorAccountRefused"}
        alarms |= {*EVENT_ALARMS}
    alarms |= {*WEBHOOK_ALARMS} if environment.delivery_webhook else set()
    alarms |= {*SWEEP_ALARMS} if environment.delivery_sweep else set()
    functions = _actions(subject).keys()
    expected = {
        ("AWS::SQS::Queue", "QueueName"): queues,
        ("AWS::Lambda::Function", "FunctionName"): {*functions},
        ("AWS::Logs::LogGroup", "LogGroupName"): {f"/aws/lambda/{each}" for each in functions},
        ("AWS::Logs::MetricFilter", "FilterName"): {
            names.log_metric(each).metric_filter for each in filters
        },
        ("AWS::CloudWatch::Alarm", "AlarmName"): {names.alarm(each) for each in alarms},
    }
    for (kind, key), wanted in expected.items():
        found = {str(properties.get(key)) for properties in subject.of_type(kind)}
        for name in sorted(wanted - found):
            yield f"no {kind} is named {name}"
        for name in sorted(found - wanted):
            yield f"{kind} {name} is not named by the rule"


def check_event_source(subject: Subject) -> Iterator[str]:
    """Check that each mapping reports failures and is limited, with a dead-letter queue behind."""
    mappings = subject.of_type("AWS::Lambda::EventSourceMapping")
    expected = 1 + subject.names.environment.has_delivery_events
    if len(mappings) != expected:
        yield f"{len(mappings)} event source mappings"
    for mapping in mappings:
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield "the mapping ignores batch item failures: failed messages are deleted"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield "the mapping has no maximum concurrency"
    policies = [queue.get("RedrivePolicy", {}) for queue in subject.of_type("AWS::SQS::Queue")]
    sufficient = [each for each in policies if each.get("maxReceiveCount", 0) >= MIN_RECEIVES]
    if len(sufficient) < expected:
        yield f"a queue has no dead-letter queue after {MIN_RECEIVES} deliveries or more"


def check_alarms(subject: Subject) -> Iterator[str]:
    """Check that every alarm notifies the topic and names its section of the runbook."""
    for alarm in subject.of_type("AWS::CloudWatch::Alarm"):
        name = alarm["AlarmName"]
        if not alarm.get("AlarmActions"):
            yield f"{name} has no action"
        if "Runbook: " not in str(alarm.get("AlarmDescription")):
            yield f"{name} names no section of the runbook"


def check_privileges(subject: Subject) -> Iterator[str]:
    """Check that each function's role has its actions, and reads the channel's own secrets only."""
    names = subject.names
    credentials = {*readable_secrets(names.credentials_prefix)}
    secrets = {
        names.function: credentials | {*readable_secrets(names.openai_secret)},
        names.events.function: credentials,
    }
    for name, expected in _actions(subject).items():
        statements = list(_statements(subject, name))
        actions = {action for each in statements for action in _listed(each["Action"])}
        actions = {action for action in actions if not action.startswith("kms:")}
        for action in sorted(actions - expected):
            yield f"the role of {name} allows {action}, which it does not need"
        for action in sorted(expected - actions):
            yield f"the role of {name} does not allow {action}"
        for secret in sorted(set(_secrets(statements)) ^ secrets.get(name, set())):
            yield f"the role of {name} and the channel's prefixes do not agree on {secret}"


def check_environment(subject: Subject) -> Iterator[str]:
    """Check that the runtime accepts each function's variables, for this channel."""
    names, feed = subject.names, {Variable.CHANNEL, EVENTS_QUEUE_URL}
    own = {
        names.receiver: feed | {Variable.CALLBACK_BASE_URL},
        names.scheduler: feed | {Variable.CONVERSATIONS_TABLE, DELIVERY_LOOKUPS_PER_SECOND},
    }
    for name in _actions(subject):
        given = subject.function(name).get("Environment", {}).get("Variables", {})
        for variable in sorted(own.get(name, {*Variable} - UNSET_VARIABLES) - given.keys()):
            yield f"{name} lacks the variable {variable}"
        if name not in own:
            yield from _settings_problems(name, given)
        if given.get(Variable.CHANNEL) != subject.name:
            yield f"{Variable.CHANNEL} of {name} is {given.get(Variable.CHANNEL)}"
        if name != names.receiver and given.get(METRICS_NAMESPACE) != names.metrics_namespace:
            yield f"{METRICS_NAMESPACE} of {name} is not {names.metrics_namespace}"


def check_delivery_events(subject: Subject) -> Iterator[str]:
    """Check that the channel's parts do what its environment deploys functions for."""
    environment, parts = subject.names.environment, subject.parts
    if environment.delivery_webhook and parts.callbacks is None:
        yield "delivery_webhook: the channel's parts have no callbacks, so none are requested"
    if environment.delivery_sweep and parts.make_status_lookup is None:
        yield "delivery_sweep: the channel's parts have no make_status_lookup, so all lookups fail"


def _actions(subject: Subject) -> Mapping[str, frozenset[str]]:
    """Return the functions that the channel's environment has, each with its privileges."""
    names, environment = subject.names, subject.names.environment
    found = {names.function: PROCESSOR_ACTIONS}
    if environment.has_delivery_events:
        found[names.events.function] = WORKER_ACTIONS
    if environment.delivery_webhook:
        found[names.receiver] = RECEIVER_ACTIONS
    if environment.delivery_sweep:
        found[names.scheduler] = SCHEDULER_ACTIONS
    return found


def _statements(subject: Subject, name: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of the policies of a function's role."""
    role = subject.function(name).get("Role", {}).get("Fn::GetAtt", [None])[0]
    for policy in subject.of_type("AWS::IAM::Policy"):
        if {"Ref": role} in policy.get("Roles", []):
            yield from policy["PolicyDocument"]["Statement"]


def _settings_problems(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    try:
        Settings.from_environment(
            {name: v if isinstance(v, str) else DEPLOYED for name, v in given.items()}
        )
    except ConfigurationError as error:
        yield f"{name} would not start: {error}"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _secrets(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        if READ_SECRET in _listed(statement["Action"]):
            for arn in _listed(statement["Resource"]):
                parts = arn["Fn::Join"][1] if isinstance(arn, dict) else [arn]
                text = "".join(part for part in parts if isinstance(part, str))
                yield text.rpartition(":secret:")[2]
