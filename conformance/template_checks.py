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
    "OldestHeldDraft",
    "ModelsRetiring",
    "SchedulerErrors",
)
"""Subjects of the alarms besides those of log lines."""
EVENT_LINES = ("SecondMessageSuspected", "CallbackContradictsRecord")
EVENT_ALARMS = (
    *("EventsDeadLetters", "OldestEvent", "EventsWorkerErrors", "EventsWorkerThrottles"),
    *("UndeliveredShare", *EVENT_LINES),
)
"""Subjects of the alarms over delivery events."""
WEBHOOK_ALARMS = ("ReceiverErrors", "ReceiverThrottles", "NoCallbacks")
SWEEP_ALARMS = ("OldestLookupDue",)
TEMPLATE_ALARM = "TemplatesNotApproved"


def check_resource_names(subject: Subject) -> Iterator[str]:
    """Check that the resources that other systems refer to have the channel's names."""
    names = subject.names
    environment, channel = names.environment, names.channel
    lines = [each.alarm.subject for each in log_alarm_rules(MIN_RECEIVES, "")]
    queues = {names.queue, names.dead_letter_queue}
    filters, alarms = {*lines, "MessageSent"}, {*lines, *ALARMS}
    if channel.has_delivery_events(environment):
        queues |= {names.events.queue, names.events.dead_letter_queue}
        filters |= {*EVENT_LINES, "LateVendorAccountRefused"}
        alarms |= {*EVENT_ALARMS}
    has_topic = channel.receives_vendor_events(environment)
    alarms |= {*WEBHOOK_ALARMS} if channel.receives_callbacks(environment) else set()
    alarms |= {WEBHOOK_ALARMS[-1]} if has_topic else set()
    alarms |= {*SWEEP_ALARMS} if channel.looks_up(environment) else set()
    alarms |= {TEMPLATE_ALARM} if channel.has_template_approval else set()
    functions = subject.functions
    expected = {
        ("AWS::SQS::Queue", "QueueName"): queues,
        ("AWS::SNS::Topic", "TopicName"): {names.events.topic} if has_topic else set(),
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
    names = subject.names
    expected = 1 + names.channel.has_delivery_events(names.environment)
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
    names = subject.names
    looks_up = names.channel.looks_up(names.environment)
    job: set[str] = {Variable.CHANNEL, Variable.QUEUE_URL, Variable.CONVERSATIONS_TABLE}
    job |= {EVENTS_QUEUE_URL, DELIVERY_LOOKUPS_PER_SECOND} if looks_up else set()
    own: dict[str, set[str]] = {
        names.receiver: {Variable.CHANNEL, EVENTS_QUEUE_URL, Variable.CALLBACK_BASE_URL},
        names.scheduler: job,
        names.vendor_check: {Variable.CHANNEL, Variable.SECRET_PREFIXES},
    }
    runtime: set[str] = {*Variable} - UNSET_VARIABLES
    no_secrets = {names.events.function} if names.channel.credentials_form is None else set()
    sender = names.channel.variables.keys() | {Variable.HANDOFF_QUEUE_URL}
    own[names.function] = runtime | sender
    for name in subject.functions:
        given = subject.function(name).get("Environment", {}).get("Variables", {})
        unset = {Variable.SECRET_PREFIXES} if name in no_secrets else set()
        for variable in sorted(own.get(name, runtime) - unset - given.keys()):
            yield f"{name} lacks the variable {variable}"
        if name in {names.function, names.events.function}:
            yield from _settings_problems(name, given, needs_secrets=name not in no_secrets)
        if given.get(Variable.CHANNEL) != subject.name:
            yield f"{Variable.CHANNEL} of {name} is {given.get(Variable.CHANNEL)}"
        if name != names.receiver and given.get(METRICS_NAMESPACE) != names.metrics_namespace:
            yield f"{METRICS_NAMESPACE} of {name} is not {names.metrics_namespace}"


def check_delivery_events(subject: Subject) -> Iterator[str]:
    """Check that the channel's parts do what its entry announces, where its environment uses it."""
    channel, environment, parts = subject.names.channel, subject.names.environment, subject.parts
    if (channel.credentials_form is not None) != parts.has_credentials:
        yield "credentials_form and the parts' read_credentials: one is None, the other is not"
    for announced, is_used, name, part in (
        ("has_callbacks", channel.receives_callbacks(environment), "callbacks", parts.callbacks),
        (
            "has_vendor_events",
            channel.receives_vendor_events(environment),
            "vendor_events",
            parts.vendor_events,
        ),
        (
            "has_status_lookup",
            channel.looks_up(environment),
            "make_status_lookup",
            parts.make_status_lookup,
        ),
        (
            "has_template_approval",
            channel.has_template_approval,
            "template_state",
            parts.template_state,
        ),
    ):
        if is_used and part is None:
            yield f"{announced} is true, and the channel's parts have no {name}"
        if part is not None and not getattr(channel, announced):
            yield f"{announced} is false, and the channel's parts have {name}, which nothing uses"


def _settings_problems(
    name: str, given: Mapping[str, Any], *, needs_secrets: bool
) -> Iterator[str]:
    try:
        Settings.from_environment(
            {name: v if isinstance(v, str) else DEPLOYED for name, v in given.items()},
            needs_secrets=needs_secrets,
        )
    except ConfigurationError as error:
        yield f"{name} would not start: {error}"
