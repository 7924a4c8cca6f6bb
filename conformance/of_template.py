"""What must hold of a channel's synthesized template."""

from collections.abc import Iterator
from typing import Any

from conformance.subject import Subject
from lambda_src.core.contract import METRICS_NAMESPACE, UNSET_VARIABLES, Variable
from lambda_src.core.settings import ConfigurationError, Settings
from stacks.alarming_lines import alarming_lines
from stacks.secret_patterns import readable

LEAST_RECEIVES = 5
WATCHED = (
    "DeadLetters",
    "MoreDeadLetters",
    "OldestMessage",
    "FunctionErrors",
    "FunctionThrottles",
    "FunctionNearTimeout",
    "NoMessageSent",
)
"""Subjects of alarms beside those over log lines."""
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
"""What a processor may do, and nothing else."""


def is_named_by_the_rule(subject: Subject) -> Iterator[str]:
    """Every resource that other systems type has the name that follows from the channel."""
    names = subject.names
    lines = [each.rule.subject for each in alarming_lines(LEAST_RECEIVES, "")]
    expected = {
        ("AWS::SQS::Queue", "QueueName"): {names.queue, names.dead_letter_queue},
        ("AWS::Lambda::Function", "FunctionName"): {names.function},
        ("AWS::Logs::LogGroup", "LogGroupName"): {names.log_group},
        ("AWS::Logs::MetricFilter", "FilterName"): {
            names.log_metric(each).metric_filter for each in (*lines, "MessageSent")
        },
        ("AWS::CloudWatch::Alarm", "AlarmName"): {names.alarm(s) for s in (*lines, *WATCHED)},
    }
    for (kind, key), wanted in expected.items():
        found = {str(properties.get(key)) for properties in subject.of_type(kind)}
        for name in sorted(wanted - found):
            yield f"no {kind} is named {name}"
        for name in sorted(found - wanted):
            yield f"{kind} {name} is not named by the rule"


def is_fed_by_its_queue(subject: Subject) -> Iterator[str]:
    """The mapping heeds failures and is bounded; undeliverable messages are kept."""
    mappings = subject.of_type("AWS::Lambda::EventSourceMapping")
    if len(mappings) != 1:
        yield f"{len(mappings)} event source mappings"
    for mapping in mappings:
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield "the mapping does not heed batch item failures: failed messages are deleted"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield "the mapping names no maximum concurrency"
    redrives = [q["RedrivePolicy"] for q in subject.of_type("AWS::SQS::Queue") if _redrives(q)]
    if not any(policy["maxReceiveCount"] >= LEAST_RECEIVES for policy in redrives):
        yield f"no queue gives up on a message after {LEAST_RECEIVES} deliveries or more"


def wakes_a_person(subject: Subject) -> Iterator[str]:
    """Every alarm tells the topic, says which section of the runbook helps, and is not silent."""
    for alarm in subject.of_type("AWS::CloudWatch::Alarm"):
        name = alarm["AlarmName"]
        if not alarm.get("AlarmActions"):
            yield f"{name} tells nobody"
        if "Runbook: " not in str(alarm.get("AlarmDescription")):
            yield f"{name} names no section of the runbook"


def may_do_no_more_than_it_does(subject: Subject) -> Iterator[str]:
    """The role's actions are those of every processor, and its secrets are the channel's own."""
    statements = [
        statement
        for policy in subject.of_type("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if any(action in ACTIONS for action in _listed(statement["Action"]))
    ]
    for action in sorted({a for s in statements for a in _listed(s["Action"])} ^ ACTIONS):
        if not action.startswith("kms:"):
            yield f"{action}: of this and the privileges of a processor, one is too many"
    names = subject.names
    own = {*readable(names.openai_secret), *readable(names.credentials_prefix)}
    for secret in sorted(set(_readable_secrets(statements)) ^ own):
        yield f"the role and the channel's prefixes do not agree on {secret}"


def starts_with_its_environment(subject: Subject) -> Iterator[str]:
    """The runtime starts with the template's variables, for this channel and no other."""
    (function,) = subject.of_type("AWS::Lambda::Function")
    given = function["Environment"]["Variables"]
    for name in sorted({*Variable} - UNSET_VARIABLES - given.keys()):
        yield f"the function lacks the variable {name}"
    try:
        settings = Settings.from_environment({name: str(value) for name, value in given.items()})
    except ConfigurationError as refused:
        yield f"the function would not start: {refused}"
        return
    if settings.channel != subject.name:
        yield f"{Variable.CHANNEL} is {settings.channel}"
    if given.get(METRICS_NAMESPACE) != subject.names.metrics_namespace:
        yield f"{METRICS_NAMESPACE} is not {subject.names.metrics_namespace}"


def _redrives(queue: dict[str, Any]) -> bool:
    return "RedrivePolicy" in queue


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _readable_secrets(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        if "secretsmanager:GetSecretValue" in _listed(statement["Action"]):
            arns = statement["Resource"]
            for arn in arns if isinstance(arns, list) else [arns]:
                parts = arn["Fn::Join"][1] if isinstance(arn, dict) else [arn]
                spelt = "".join(part for part in parts if isinstance(part, str))
                yield spelt.rpartition(":secret:")[2]
