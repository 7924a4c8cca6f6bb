"""From log lines and metrics to alarms, and from alarms to the people that they notify."""

import re
from collections.abc import Iterator, Mapping, Sequence

from lambda_src.core.contract import LOG_LEVELS, LOGGED_AT, METRICS_NAMESPACE, LogEvent, Metric
from stacks.config.environments import Tier
from stacks.invariants.assembly import (
    ALARM,
    FUNCTION,
    KEY,
    LOG_GROUP,
    METRIC_FILTER,
    SUBSCRIPTION,
    TOPIC,
    Assembly,
    Function,
    Resource,
    allows,
    processor_functions,
    scheduled_functions,
)
from stacks.invariants.invariant import Finding, Severity, invariant

ALARMS = (ALARM, "AWS::CloudWatch::CompositeAlarm")

CLOUDWATCH = "cloudwatch.amazonaws.com"
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""The actions on a key that a service needs to publish to a topic encrypted with it."""

RESERVED = re.compile(r".*[@.](example\.(com|net|org)|example|invalid|test|localhost)", re.I)
"""Addresses at domains that RFC 2606 reserves for examples, which receive no mail."""

AWS_NAMESPACES = "AWS/"
"""The prefix of the namespaces of AWS's own metrics."""

_TERM = re.compile(r'\$\.(?P<field>event|level)\s*=\s*"(?P<value>[^"]*)"')

NamedMetric = tuple[str, str]
"""A metric's namespace and name."""


@invariant(
    "alarms-act",
    holds="Each alarm has an action, and its actions are enabled.",
    remedy="Give the alarm an action on the topic of critical alerts.",
)
def alarms_act(assembly: Assembly) -> Iterator[Finding]:
    """An alarm without an action only changes its state."""
    for alarm in assembly.resources(*ALARMS):
        if not alarm.value("AlarmActions"):
            yield Finding(alarm, "AlarmActions", "names no action")
        if alarm.value("ActionsEnabled", default=True) is not True:
            yield Finding(alarm, "ActionsEnabled", "disables the actions")


@invariant(
    "alarms-are-heard",
    holds="Each topic that an alarm notifies has a subscriber, except in the tier `development`.",
    remedy="Set `alert_email` of the environment.",
)
def alarms_are_heard(assembly: Assembly) -> Iterator[Finding]:
    """Without a subscriber an alarm notifies no one."""
    for topic, alarm in _topics(assembly):
        is_needed = alarm.metadata.tier is not Tier.DEVELOPMENT
        if is_needed and not list(_subscriptions(assembly, topic)):
            problem = f"is missing, so that {alarm.logical_id} notifies no one"
            yield Finding(topic, "Subscription", problem)


@invariant(
    "alert-address-is-real",
    severity=Severity.WARNING,
    holds="Alarms are not mailed to a placeholder, an address at a domain reserved for examples.",
    remedy="Set the on-call address as `alert_email` of the environment.",
)
def alert_address_is_real(assembly: Assembly) -> Iterator[Finding]:
    """With a placeholder an environment can be synthesized, but its mail is lost."""
    for subscription in assembly.resources(SUBSCRIPTION):
        endpoint = str(subscription.value("Endpoint"))
        if subscription.value("Protocol") == "email" and RESERVED.fullmatch(endpoint):
            yield Finding(subscription, "Endpoint", "is a placeholder that receives no mail")


@invariant(
    "alarms-may-publish",
    holds="CloudWatch may publish to each topic that an alarm notifies, and use the topic's key.",
    remedy=(
        "Allow cloudwatch.amazonaws.com `sns:Publish` in the topic's policy, and kms:Decrypt and"
        " kms:GenerateDataKey* in the policy of its key, which must be your own."
    ),
)
def alarms_may_publish(assembly: Assembly) -> Iterator[Finding]:
    """A topic's policy replaces the default one, which lets alarms publish."""
    for topic, alarm in _topics(assembly):
        statements = assembly.statements(topic, "AWS::SNS::TopicPolicy", "Topics")
        if statements and not allows(statements, CLOUDWATCH, "sns:Publish"):
            problem = f"does not let CloudWatch publish, so that {alarm.logical_id} is not notified"
            yield Finding(topic, "TopicPolicy", problem)
        if (key := topic.value("KmsMasterKeyId")) and not _is_usable(assembly, topic, key):
            problem = f"is a key that CloudWatch may not use: {alarm.logical_id} is not notified"
            yield Finding(topic, "KmsMasterKeyId", problem)


@invariant(
    "filters-read-a-functions-log",
    holds="A metric filter reads the log group of a function of the app.",
    remedy="Give the filter the log group of the function whose lines it counts.",
)
def filters_read_a_functions_log(assembly: Assembly) -> Iterator[Finding]:
    """On any other log group it never matches."""
    for metric_filter in assembly.resources(METRIC_FILTER):
        if _writer(assembly, metric_filter) is None:
            yield Finding(metric_filter, "LogGroupName", "is a log that no function writes to")


@invariant(
    "filters-match-what-is-logged",
    holds=(
        "A metric filter on a processor's log names events that the runtime logs, at a level at"
        " which it logs them and not below LOG_LEVEL, or only a level that is logged."
    ),
    remedy="Name one of the runtime's events (`LogEvent`), at its level or at none.",
)
def filters_match_what_is_logged(assembly: Assembly) -> Iterator[Finding]:
    """With a pattern that no line matches an alarm never goes off."""
    for metric_filter in assembly.resources(METRIC_FILTER):
        writer = _writer(assembly, metric_filter)
        if writer and writer.is_processor:
            pattern = str(metric_filter.value("FilterPattern"))
            for problem in _pattern_problems(pattern, writer):
                yield Finding(metric_filter, "FilterPattern", problem)


@invariant(
    "alarms-watch-what-is-measured",
    holds=(
        "Each metric of an alarm is AWS's own, or has a metric filter in the app, or is emitted by"
        " a processor of the app."
    ),
    remedy="Take namespace and name from the filter (`metric_filter.metric()`) or from `Metric`.",
)
def alarms_watch_what_is_measured(assembly: Assembly) -> Iterator[Finding]:
    """An alarm on a metric without data never goes off, or never ends."""
    known = {*_filtered(assembly), *_emitted(assembly)}
    for alarm in assembly.resources(ALARM):
        for namespace, name in _watched(alarm):
            if not namespace.startswith(AWS_NAMESPACES) and (namespace, name) not in known:
                problem = f"is {name} of {namespace}, a metric without a source"
                yield Finding(alarm, "MetricName", problem)


def _topics(assembly: Assembly) -> Iterator[tuple[Resource, Resource]]:
    """Yield each topic that alarms notify, once, and one of its alarms."""
    found: dict[int, tuple[Resource, Resource]] = {}
    for alarm in assembly.resources(*ALARMS):
        for action in alarm.value("AlarmActions", []):
            if topic := assembly.resolve(alarm.template, action, TOPIC):
                found.setdefault(id(topic), (topic, alarm))
    yield from found.values()


def _subscriptions(assembly: Assembly, topic: Resource) -> Iterator[Resource | Mapping[str, str]]:
    yield from topic.value("Subscription", [])
    for subscription in assembly.all_resources(SUBSCRIPTION):
        arn = subscription.value("TopicArn")
        if assembly.resolve(subscription.template, arn, TOPIC) is topic:
            yield subscription


def _is_usable(assembly: Assembly, topic: Resource, key: object) -> bool:
    if isinstance(key, str):
        return not key.endswith("alias/aws/sns")  # the policy of another key is not known here
    resource = assembly.resolve(topic.template, key, KEY)
    if resource is None:
        return "alias/aws/sns" not in str(key)
    statements = resource.value("KeyPolicy.Statement", [])
    return all(allows(statements, CLOUDWATCH, action) for action in KEY_ACTIONS)


def _pattern_problems(pattern: str, writer: Function) -> Iterator[str]:
    """Yield the problems of each alternative of a pattern."""
    lowest = writer.settings.log_level if writer.settings else LOG_LEVELS[0]
    for alternative in pattern.split("||"):
        terms = [(term["field"], term["value"]) for term in _TERM.finditer(alternative)]
        events = [value for field, value in terms if field == "event"]
        levels = [value for field, value in terms if field == "level"]
        if not events and not _logged(LOG_LEVELS, lowest) & set(levels):
            yield f"names neither an event nor a level of the log in {alternative.strip()!r}"
        for event in events:
            if event not in list(LogEvent):
                yield f"names the event {event!r}, which the runtime never logs"
            elif not _logged(LOGGED_AT[LogEvent(event)], lowest) & set(levels or LOG_LEVELS):
                named = f" at {'/'.join(levels)}" if levels else ""
                logged = "/".join(LOGGED_AT[LogEvent(event)])
                yield f"names {event!r}{named}, logged at {logged} while LOG_LEVEL is {lowest}"


def _logged(levels: Sequence[str], lowest: str) -> set[str]:
    """Return the levels that are not below LOG_LEVEL."""
    return set(levels) & set(LOG_LEVELS[LOG_LEVELS.index(lowest) :])


def _writer(assembly: Assembly, metric_filter: Resource) -> Function | None:
    """Return the function that writes to the log group of a filter."""
    group = _log_group(assembly, metric_filter, metric_filter.value("LogGroupName"))
    for resource in assembly.all_resources(FUNCTION):
        own = resource.value("LoggingConfig.LogGroup")
        default = f"/aws/lambda/{resource.value('FunctionName')}"
        if group == _log_group(assembly, resource, own or default):
            return Function(resource)
    return None


def _log_group(assembly: Assembly, resource: Resource, value: object) -> object:
    """Return a log group's name, or the resource if its name is not a literal."""
    group = assembly.resolve(resource.template, value, LOG_GROUP)
    return group.value("LogGroupName", group) if group else value


def _watched(alarm: Resource) -> Iterator[NamedMetric]:
    if alarm.value("MetricName"):
        yield str(alarm.value("Namespace")), str(alarm.value("MetricName"))
    for part in alarm.value("Metrics", []):
        if metric := part.get("MetricStat", {}).get("Metric"):
            yield str(metric.get("Namespace")), str(metric.get("MetricName"))


def _filtered(assembly: Assembly) -> Iterator[NamedMetric]:
    for metric_filter in assembly.all_resources(METRIC_FILTER):
        for metric in metric_filter.value("MetricTransformations", []):
            yield str(metric.get("MetricNamespace")), str(metric.get("MetricName"))


def _emitted(assembly: Assembly) -> Iterator[NamedMetric]:
    for function in (*processor_functions(assembly), *scheduled_functions(assembly)):
        if namespace := function.variables.get(METRICS_NAMESPACE):
            yield from ((namespace, metric.value) for metric in Metric)
