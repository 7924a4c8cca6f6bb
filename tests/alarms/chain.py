"""The alarm chain of a deployment: from log lines and metrics to notifications."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from local.emulator.filter_patterns import FilterPattern
from local.emulator.ministack_process import State
from tests.alarms.cloudwatch import Alarm, Metric, Metrics, UnsupportedError
from tests.infra.synthesis import ACCOUNT, STACKS, Resource, Synthesized

METRIC_FILTER = "AWS::Logs::MetricFilter"
PARTS = {
    *("AWS::CloudWatch::Alarm", "AWS::KMS::Key", "AWS::Lambda::Function", METRIC_FILTER),
    *("AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
}
"""Types of the resources that form the chain."""
CLOUDWATCH = "cloudwatch.amazonaws.com"
AWS_MANAGED_KEY = "alias/aws/sns"
STATEMENT_KEYS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
ANY_PRINCIPAL: tuple[object, ...] = ("*", {"AWS": "*"})
CONDITION_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda found, expected: found.lower() == expected.lower(),
}

Properties = dict[str, Any]


class LogLine(NamedTuple):
    """A line that the function wrote."""

    minute: float
    line: str


class DataPoint(NamedTuple):
    """A data point of one of AWS's own metrics."""

    minute: float
    metric: Metric
    value: float


Event = LogLine | DataPoint
Notification = tuple[State, str, str, str]
"""The alarm's new state, the subscriber's protocol and endpoint, and the text."""


@dataclass(frozen=True)
class AlarmChain:
    """Function, metric filters, alarms, topic, policies, key and subscribers of a deployment."""

    resources: list[Resource]

    @classmethod
    @cache
    def of(cls, synthesized: Synthesized) -> "AlarmChain":
        """Read the templates of a synth."""
        resources = synthesized.resolved()
        return cls([each for each in resources if each.stack in STACKS and each.kind in PARTS])

    def copy(self) -> "AlarmChain":
        """Return an independent copy, which tests may change."""
        return AlarmChain([Resource(*each) for each in json.loads(json.dumps(self.resources))])

    def all(self, kind: str) -> list[Resource]:
        """Return all resources of a CloudFormation type."""
        return [resource for resource in self.resources if resource.kind == kind]

    def only(self, kind: str) -> Properties:
        """Return the properties of the only resource of a type."""
        (resource,) = self.all(kind)
        return resource.properties

    def alarm(self, name: str) -> Resource | None:
        alarms = self.all("AWS::CloudWatch::Alarm")
        return next((alarm for alarm in alarms if alarm.properties["AlarmName"] == name), None)

    def run(
        self, alarm_name: str, events: Sequence[Event], minutes: int
    ) -> tuple[list[State], list[Notification]]:
        """Evaluate an alarm every minute; return its changes of state and its notifications."""
        if (alarm := self.alarm(alarm_name)) is None:
            return [], []
        evaluated, states = Alarm(alarm.properties, self._metrics(events)), []
        before = State.INSUFFICIENT_DATA
        for minute in range(minutes + 1):
            if (state := evaluated.state(minute, before)) is not before:
                states.append(state)
            before = state
        return states, [each for state in states for each in self._notifications(alarm, state)]

    def _metrics(self, events: Sequence[Event]) -> Metrics:
        metrics = Metrics()
        lines: dict[int, list[LogLine]] = defaultdict(list)
        for event in events:
            if isinstance(event, DataPoint):
                metrics.put(event.metric, event.minute, event.value)
            else:
                lines[int(event.minute)].append(event)
        for metric_filter, logged in product(self.all(METRIC_FILTER), lines.values()):
            writers = self._writers(metric_filter.properties["LogGroupName"])
            if read := [line for line in logged if _writer(line.line) in writers]:
                _filter(metric_filter.properties, read, metrics)
        return metrics

    def _writers(self, log_group: str) -> set[str]:
        """Return the names of the functions that write to a log group."""
        functions = [each.properties for each in self.all("AWS::Lambda::Function")]
        return {f["FunctionName"] for f in functions if f["LoggingConfig"]["LogGroup"] == log_group}

    def _notifications(self, alarm: Resource, state: State) -> Iterator[Notification]:
        actions = {State.ALARM: "AlarmActions", State.OK: "OKActions"}.get(state, "")
        text = alarm.properties.get("AlarmDescription", "")
        if alarm.properties.get("ActionsEnabled", True):
            reached = product(alarm.properties.get(actions, []), self.all("AWS::SNS::Topic"))
            for topic_arn, topic in reached:
                if topic.arn == topic_arn and self._may_publish(alarm.arn, topic):
                    for protocol, endpoint in self._subscribers(topic):
                        yield state, protocol, endpoint, text

    def _subscribers(self, topic: Resource) -> Iterator[tuple[str, str]]:
        """Yield protocol and endpoint of each subscriber."""
        for properties in (each.properties for each in self.all("AWS::SNS::Subscription")):
            if unknown := properties.keys() - {"Protocol", "Endpoint", "TopicArn"}:
                raise UnsupportedError(f"subscription properties {sorted(unknown)}")
            if properties["TopicArn"] == topic.arn:
                yield properties["Protocol"], properties["Endpoint"]

    def _may_publish(self, alarm_arn: str, topic: Resource) -> bool:
        context = {"aws:sourcearn": alarm_arn, "aws:sourceaccount": ACCOUNT}
        context["aws:securetransport"] = "true"
        # Without a policy the default one applies, which allows the account's alarms to publish.
        return all(
            allows(policy.properties["PolicyDocument"], "sns:Publish", topic.arn, context)
            for policy in self.all("AWS::SNS::TopicPolicy")
            if topic.arn in policy.properties["Topics"]
        ) and self._may_encrypt(topic.properties.get("KmsMasterKeyId"), context)

    def _may_encrypt(self, key_id: str | None, context: Mapping[str, str]) -> bool:
        """Whether an alarm may use a key; the policy of the AWS managed key never allows it."""
        if key_id is None:
            return True
        keys = [k for k in self.all("AWS::KMS::Key") if key_id in {k.arn, k.arn.split("/")[-1]}]
        if not keys and key_id != AWS_MANAGED_KEY:
            raise UnsupportedError(f"key {key_id}, which is in no template")
        return bool(keys) and all(
            allows(key.properties["KeyPolicy"], action, key.arn, context)
            for key in keys
            for action in ("kms:Decrypt", "kms:GenerateDataKey")
        )


def allows(
    policy: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Whether a resource policy allows CloudWatch an action; an explicit deny takes precedence.

    Args:
        policy: The document.
        action: Such as `sns:Publish`.
        resource: ARN of the resource.
        context: Values of condition keys, which are in lower case.

    Raises:
        UnsupportedError: A key of a statement or a condition operator is not modelled.
    """
    statements = _list(policy["Statement"])
    return {"Allow"} == {s["Effect"] for s in statements if _applies(s, action, resource, context)}


def _applies(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    if unknown := statement.keys() - STATEMENT_KEYS:
        raise UnsupportedError(f"policy statement with {sorted(unknown)}")
    principal, actions = statement["Principal"], _list(statement["Action"])
    return (
        (principal in ANY_PRINCIPAL or CLOUDWATCH in _list(principal.get("Service", [])))
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions)
        and any(fnmatchcase(resource, pattern) for pattern in _list(statement["Resource"]))
        and all(
            _is_met(operator, context.get(key.lower()), _list(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _is_met(operator: str, found: str | None, values: list[Any]) -> bool:
    """Whether a condition is met; a key that the request does not have meets none."""
    if operator not in CONDITION_OPERATORS:
        raise UnsupportedError(f"condition operator {operator}")
    matches = CONDITION_OPERATORS[operator]
    return found is not None and any(matches(found, str(value)) for value in values)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def _writer(line: str) -> str:
    """Return the name of the function that wrote a line; lines of metrics name none."""
    return f"{json.loads(line).get('service', 'whatsapp-channel-processor')}-dev"


@cache
def _is_match(pattern: str, line: str) -> bool:
    return FilterPattern(pattern).matches(line)


def _filter(metric_filter: Properties, lines: Sequence[LogLine], metrics: Metrics) -> None:
    """Put a filter's data points of one minute; the default value counts if no line matches."""
    matching = [line for line in lines if _is_match(metric_filter["FilterPattern"], line.line)]
    for transformation in metric_filter["MetricTransformations"]:
        values = [(line, transformation["MetricValue"]) for line in matching]
        if not matching and "DefaultValue" in transformation:
            values = [(LogLine(lines[0].minute, "{}"), transformation["DefaultValue"])]
        for line, value in values:
            dimensions = {
                dimension["Key"]: str(json.loads(line.line).get(dimension["Value"][2:]))  # "$.name"
                for dimension in transformation.get("Dimensions", [])
            }
            name, namespace = transformation["MetricName"], transformation["MetricNamespace"]
            metrics.put(Metric.of(namespace, name, dimensions), line.minute, float(value))


@cache
def filters_by_name(synthesized: Synthesized) -> dict[str, Properties]:
    filters = [f.properties for f in synthesized.resolved(METRIC_FILTER) if f.stack == "WhatsApp"]
    return {each["FilterName"]: each for each in filters}


def count_matches(synthesized: Synthesized, lines: Iterable[str]) -> Counter[str]:
    """Return the number of lines that each metric filter of the channel matches, by its name."""
    return Counter(
        name
        for name, each in filters_by_name(synthesized).items()
        for line in lines
        if each["LogGroupName"] == f"/aws/lambda/{_writer(line)}"
        and _is_match(each["FilterPattern"], line)
    )
