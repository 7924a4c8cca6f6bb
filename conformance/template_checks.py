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
    functions = subject.functions
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


def check_environment(subject: Subject) -> Iterator[str]:
    """Check that the runtime accepts each function's variables, for this channel."""
    names, feed = subject.names, {Variable.CHANNEL, EVENTS_QUEUE_URL}
    own = {
        names.receiver: feed | {Variable.CALLBACK_BASE_URL},
        names.scheduler: feed | {Variable.CONVERSATIONS_TABLE, DELIVERY_LOOKUPS_PER_SECOND},
    }
    for name in subject.functions:
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


def _settings_problems(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    try:
        Settings.from_environment(
            {name: v if isinstance(v, str) else DEPLOYED for name, v in given.items()}
        )
    except ConfigurationError as error:
        yield f"{name} would not start: {error}"
