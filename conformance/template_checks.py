"""Checks of a channel's synthesized template."""

from collections.abc import Iterator
from typing import Any

from conformance.subject import Subject
from lambda_src.core import ConfigurationError, Settings
from lambda_src.core.contract import METRICS_NAMESPACE, UNSET_VARIABLES, Variable
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
ACTIONS = frozenset(
    {
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
)
"""The complete privileges of a processor."""


def check_resource_names(subject: Subject) -> Iterator[str]:
    """Check that the resources that other systems refer to have the channel's names."""
    names = subject.names
    lines = [each.alarm.subject for each in log_alarm_rules(MIN_RECEIVES, "")]
    expected = {
        ("AWS::SQS::Queue", "QueueName"): {names.queue, names.dead_letter_queue},
        ("AWS::Lambda::Function", "FunctionName"): {names.function},
        ("AWS::Logs::LogGroup", "LogGroupName"): {names.log_group},
        ("AWS::Logs::MetricFilter", "FilterName"): {
            names.log_metric(each).metric_filter for each in (*lines, "MessageSent")
        },
        ("AWS::CloudWatch::Alarm", "AlarmName"): {names.alarm(s) for s in (*lines, *ALARMS)},
    }
    for (kind, key), wanted in expected.items():
        found = {str(properties.get(key)) for properties in subject.of_type(kind)}
        for name in sorted(wanted - found):
            yield f"no {kind} is named {name}"
        for name in sorted(found - wanted):
            yield f"{kind} {name} is not named by the rule"


def check_event_source(subject: Subject) -> Iterator[str]:
    """Check that the mapping reports failures and is limited, with a dead-letter queue behind."""
    mappings = subject.of_type("AWS::Lambda::EventSourceMapping")
    if len(mappings) != 1:
        yield f"{len(mappings)} event source mappings"
    for mapping in mappings:
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield "the mapping ignores batch item failures: failed messages are deleted"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield "the mapping has no maximum concurrency"
    policies = [queue.get("RedrivePolicy", {}) for queue in subject.of_type("AWS::SQS::Queue")]
    if not any(policy.get("maxReceiveCount", 0) >= MIN_RECEIVES for policy in policies):
        yield f"no queue has a dead-letter queue after {MIN_RECEIVES} deliveries or more"


def check_alarms(subject: Subject) -> Iterator[str]:
    """Check that every alarm notifies the topic and names its section of the runbook."""
    for alarm in subject.of_type("AWS::CloudWatch::Alarm"):
        name = alarm["AlarmName"]
        if not alarm.get("AlarmActions"):
            yield f"{name} has no action"
        if "Runbook: " not in str(alarm.get("AlarmDescription")):
            yield f"{name} names no section of the runbook"


def check_privileges(subject: Subject) -> Iterator[str]:
    """Check that the role has a processor's actions and only the channel's own secrets."""
    statements = [
        statement
        for policy in subject.of_type("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if any(action in ACTIONS for action in _listed(statement["Action"]))
    ]
    actions = {action for each in statements for action in _listed(each["Action"])}
    actions = {action for action in actions if not action.startswith("kms:")}
    for action in sorted(actions - ACTIONS):
        yield f"the role allows {action}, which no processor needs"
    for action in sorted(ACTIONS - actions):
        yield f"the role does not allow {action}"
    names = subject.names
    own = {*readable_secrets(names.openai_secret), *readable_secrets(names.credentials_prefix)}
    for secret in sorted(set(_secrets(statements)) ^ own):
        yield f"the role and the channel's prefixes do not agree on {secret}"


def check_environment(subject: Subject) -> Iterator[str]:
    """Check that the runtime accepts the template's variables, for this channel."""
    (function,) = subject.of_type("AWS::Lambda::Function")
    given = function["Environment"]["Variables"]
    for name in sorted({*Variable} - UNSET_VARIABLES - given.keys()):
        yield f"the function lacks the variable {name}"
    try:
        settings = Settings.from_environment(
            {name: v if isinstance(v, str) else DEPLOYED for name, v in given.items()}
        )
    except ConfigurationError as error:
        yield f"the function would not start: {error}"
        return
    if settings.channel != subject.name:
        yield f"{Variable.CHANNEL} is {settings.channel}"
    if given.get(METRICS_NAMESPACE) != subject.names.metrics_namespace:
        yield f"{METRICS_NAMESPACE} is not {subject.names.metrics_namespace}"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _secrets(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        if "secretsmanager:GetSecretValue" in _listed(statement["Action"]):
            for arn in _listed(statement["Resource"]):
                parts = arn["Fn::Join"][1] if isinstance(arn, dict) else [arn]
                text = "".join(part for part in parts if isinstance(part, str))
                yield text.rpartition(":secret:")[2]
