"""Single faults of an alarm chain: in log lines, filters, alarms, metric math and delivery."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.alarms.cases import (
    CALLBACKS,
    DEAD_LETTERS,
    DELIVERED,
    ENQUEUED,
    SENT,
    UNDELIVERED,
    AlarmCase,
)
from tests.alarms.chain import CLOUDWATCH, METRIC_FILTER, AlarmChain, Properties

TOPIC = "arn:aws:sns:eu-west-1:111122223333:ai-comms-critical-alerts-dev"
OTHER_TOPIC = f"{TOPIC}-2"
OTHER_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "444455556666"}}
OTHER_SERVICE = {"Service": "events.amazonaws.com"}
DENIAL = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
POLICIES = {
    "topic": ("AWS::SNS::TopicPolicy", "PolicyDocument"),
    "key": ("AWS::KMS::Key", "KeyPolicy"),
}
"""Type and property of the policies."""
EXTRA = {"Name": "service", "Value": "any"}
LEVEL_DIMENSION = [{"Key": "level", "Value": "$.level"}]
STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True)
class Target:
    """An alarm, the chain to change, and the log lines by situation, to be changed too."""

    case: AlarmCase
    chain: AlarmChain
    lines: dict[str, tuple[str, ...]]

    @property
    def alarm(self) -> Properties:
        alarm = self.chain.alarm(self.case.alarm)
        assert alarm
        return alarm.properties

    @property
    def stats(self) -> list[Properties]:
        """The metrics of the expression with statistic and period."""
        return [query["MetricStat"] for query in self.alarm["Metrics"] if "MetricStat" in query]

    @property
    def metrics(self) -> list[Properties]:
        """The alarm itself, or the metrics of its expression."""
        return [stat["Metric"] for stat in self.stats] if self.case.expression else [self.alarm]

    @property
    def filter(self) -> Properties:
        """The metric filter that counts the alarm's log lines."""
        filters = [each.properties for each in self.chain.all(METRIC_FILTER)]
        names = self.case.statistics
        return next(f for f in filters if f["MetricTransformations"][0]["MetricName"] in names)

    @property
    def function(self) -> Properties:
        """The function whose log the filter reads."""
        functions = [each.properties for each in self.chain.all("AWS::Lambda::Function")]
        group = self.filter["LogGroupName"]
        return next(f for f in functions if f["LoggingConfig"]["LogGroup"] == group)

    def remove(self, properties: Properties) -> None:
        resources = self.chain.resources
        resources[:] = [each for each in resources if each.properties is not properties]

    def statements(self, part: str) -> Any:
        """Return the statements of the policy of the topic or the key."""
        kind, policy = POLICIES[part]
        return self.chain.only(kind)[policy]["Statement"]

    def permission(self, part: str) -> Any:
        return next(s for s in self.statements(part) if s["Principal"] == {"Service": CLOUDWATCH})

    def rewrite_lines(self, change: Callable[[Properties], object]) -> None:
        for situation, logged in self.lines.items():
            changed = [json.loads(line) for line in logged]
            for fields in changed:
                change(fields)
            self.lines[situation] = tuple(map(json.dumps, changed))


Apply = Callable[[Target], object]


class Mutation(NamedTuple):
    """A fault: its name, the alarms that can have it, and a function that introduces it."""

    name: str
    concerns: Callable[[AlarmCase], object]
    apply: Apply


PARTS: dict[str, Callable[[Target], Properties]] = {
    "alarm": lambda t: t.alarm,
    "query": lambda t: next(query for query in t.alarm["Metrics"] if "Expression" in query),
    "metric 1": lambda t: t.metrics[0],
    "metric 2": lambda t: t.metrics[1],
    "filter": lambda t: t.filter,
    "transformation": lambda t: t.filter["MetricTransformations"][0],
    "logging": lambda t: t.function["LoggingConfig"],
    "subscription": lambda t: t.chain.only("AWS::SNS::Subscription"),
    "sns": lambda t: t.chain.only("AWS::SNS::Topic"),
    "topic": lambda t: t.permission("topic"),
    "key": lambda t: t.permission("key"),
}
"""Parts of a deployment that a mutation changes."""


def _set(part: str, **changes: object) -> Apply:
    return lambda target: PARTS[part](target).update(changes)


def _map(part: str, key: str, function: Callable[[Any], Any]) -> Apply:
    def apply(target: Target) -> None:
        properties = PARTS[part](target)
        properties[key] = function(properties.get(key, []))

    return apply


def _add(key: str, number: int) -> Apply:
    return _map("alarm", key, lambda value: value + number)


def _dimension(function: Callable[[list[Properties]], list[Properties]]) -> Apply:
    return _map("metric 1", "Dimensions", function)


def _pattern(old: str, new: str) -> Apply:
    return _map("filter", "FilterPattern", lambda text: text.replace(old, new))


def _without_event(index: int) -> Apply:
    return lambda target: _pattern(target.case.log_events[index], "no_such")(target)


def _without_permission(part: str) -> Apply:
    return lambda target: target.statements(part).remove(target.permission(part))


def _rename_event(target: Target) -> None:
    events = target.case.log_events
    target.rewrite_lines(lambda f: f["event"] in events and f.update(event=f"{f['event']}_now"))


def _rename_field(name: str) -> Apply:
    def rename(fields: Properties) -> object:
        return name in fields and fields.update({f"log_{name}": fields.pop(name)})

    return lambda target: target.rewrite_lines(rename)


def _more_data_points(target: Target) -> None:
    needed = target.alarm["DatapointsToAlarm"] + 1
    periods = max(target.alarm["EvaluationPeriods"], needed)
    target.alarm.update(DatapointsToAlarm=needed, EvaluationPeriods=periods)


def _scale_periods(factor: float) -> Apply:
    return lambda t: [stat.update(Period=int(stat["Period"] * factor)) for stat in t.stats]


def _return_a_metric(target: Target) -> None:
    PARTS["query"](target)["ReturnData"] = False
    del next(query for query in target.alarm["Metrics"] if "MetricStat" in query)["ReturnData"]


def _statistic(name: str) -> Mutation:
    def concerns(case: AlarmCase) -> bool:
        return not case.expression and name not in case.statistics.values()

    return Mutation(f"alarm: statistic {name}", concerns, _set("alarm", Statistic=name))


def _missing_data(value: str) -> Mutation:
    name, apply = f"alarm: missing data {value}", _set("alarm", TreatMissingData=value)
    return Mutation(name, lambda case: case.missing != value, apply)


def _expression(old: str, new: str) -> Mutation:
    apply = _map("query", "Expression", lambda text: text.replace(old, new))
    return Mutation(f"math: {new} instead of {old}", lambda case: old in case.expression, apply)


def _math_statistic(metric: str, name: str) -> Mutation:
    def concerns(case: AlarmCase) -> object:
        return case.expression and case.statistics.get(metric, name) != name

    def apply(target: Target) -> None:
        for stat in target.stats:
            if stat["Metric"]["MetricName"] == metric:
                stat["Stat"] = name

    return Mutation(f"math: {name} of {metric}", concerns, apply)


WHEN: dict[str, Callable[[AlarmCase], object]] = {
    "any": lambda _: True,
    "lines": lambda case: case.counts_lines,
    "level": lambda case: case.counts_lines and not case.expression,
    "event": lambda case: case.log_events,
    "events": lambda case: len(case.log_events) > 1,
    "deliveries": lambda case: case.subject == "RepeatedFailure",
    "math": lambda case: case.expression,
    "metrics": lambda case: len(case.statistics) > 1,
    "dimensions": lambda case: case.has_dimensions and (case.expression or not case.counts_lines),
    "threshold": lambda case: not case.expression,
    "periods": lambda case: not case.expression and case.breaching < case.periods,
    "points": lambda case: (len(case.statistics) if case.expression else case.breaching) > 1,
    "notifies": lambda case: case.notify_on_ok,
    "silent": lambda case: not case.notify_on_ok,
}
"""The alarms that a fault concerns."""

FAULTS: tuple[tuple[str, str, Apply], ...] = (
    ("log: another event", "event", _rename_event),
    ("log: another field for the event", "event", _rename_field("event")),
    ("log: level INFO", "level", lambda t: t.rewrite_lines(lambda f: f.update(level="INFO"))),
    ("log: another field for the level", "level", _rename_field("level")),
    ("log: no receive count", "deliveries", _rename_field("receive_count")),
    ("filter: another event", "event", _without_event(0)),
    ("filter: another last event", "events", _without_event(-1)),
    ("filter: every event", "event", _pattern("$.event =", "$.event !=")),
    ("filter: another field than event", "lines", _pattern("$.event", "$.evt")),
    ("filter: another level", "level", _pattern("$.level =", "$.level !=")),
    ("filter: another field than level", "level", _pattern("$.level", "$.lvl")),
    ("filter: any instead of all", "level", _pattern("&&", "||")),
    ("filter: all instead of any", "events", _pattern("||", "&&")),
    ("filter: one delivery later", "deliveries", _pattern(">= 7", ">= 8")),
    ("filter: one delivery earlier", "deliveries", _pattern(">= 7", ">= 6")),
    ("filter: fewer deliveries", "deliveries", _pattern(">= 7", "<= 7")),
    ("filter: already ended", "deliveries", _pattern("already_ended", "no_such")),
    ("filter: another log group", "lines", _set("filter", LogGroupName="/aws/lambda/another")),
    ("filter: missing", "lines", lambda t: t.remove(t.filter)),
    ("filter: another metric", "lines", _set("transformation", MetricName="Other")),
    ("filter: another namespace", "lines", _set("transformation", MetricNamespace="Other")),
    ("filter: counts nothing", "lines", _set("transformation", MetricValue="0")),
    ("filter: counts backwards", "lines", _set("transformation", MetricValue="-1")),
    ("filter: counts other lines too", "lines", _set("transformation", DefaultValue=1)),
    ("filter: metric per level", "lines", _set("transformation", Dimensions=LEVEL_DIMENSION)),
    ("function: another log group", "lines", _set("logging", LogGroup="/elsewhere")),
    ("alarm: missing", "any", lambda t: t.remove(t.alarm)),
    ("alarm: another metric", "any", _set("metric 1", MetricName="Other")),
    ("alarm: another namespace", "any", _set("metric 1", Namespace="Other")),
    ("alarm: no dimension", "dimensions", lambda t: t.metrics[0].pop("Dimensions")),
    ("alarm: another dimension", "dimensions", _dimension(lambda d: [d[0] | {"Value": "x"}])),
    ("alarm: an extra dimension", "any", _dimension(lambda d: [*d, EXTRA])),
    ("alarm: longer period", "threshold", _map("alarm", "Period", lambda value: 3 * value)),
    ("alarm: shorter period", "threshold", _map("alarm", "Period", lambda value: value // 5)),
    ("alarm: more periods", "any", _map("alarm", "EvaluationPeriods", lambda value: 3 * value)),
    ("alarm: fewer periods", "periods", _add("EvaluationPeriods", -1)),
    ("alarm: more data points to alarm", "any", _more_data_points),
    ("alarm: fewer data points to alarm", "points", _add("DatapointsToAlarm", -1)),
    ("alarm: higher threshold", "any", _add("Threshold", 1)),
    ("alarm: lower threshold", "any", _add("Threshold", -1)),
    *(
        (f"alarm: {sign}", "any", _set("alarm", ComparisonOperator=f"{name}Threshold"))
        for sign, name in ((">", "GreaterThan"), ("<", "LessThan"), ("<=", "LessThanOrEqualTo"))
    ),
    ("alarm: actions disabled", "any", _set("alarm", ActionsEnabled=False)),
    ("alarm: no action", "any", _set("alarm", AlarmActions=[])),
    ("alarm: another topic", "any", _set("alarm", AlarmActions=[OTHER_TOPIC])),
    ("alarm: no notification on OK", "notifies", _set("alarm", OKActions=[])),
    ("alarm: notification on OK", "silent", _map("alarm", "OKActions", lambda _: [TOPIC])),
    ("alarm: another text", "any", _set("alarm", AlarmDescription="Something is wrong.")),
    ("math: longer periods", "math", _scale_periods(3)),
    ("math: shorter periods", "math", _scale_periods(1 / 5)),
    ("math: a metric instead of the result", "math", _return_a_metric),
    ("math: another second metric", "metrics", _set("metric 2", MetricName="Other")),
    ("math: another second namespace", "metrics", _set("metric 2", Namespace="Other")),
    *(
        fault
        for part, denied in (("topic", "publishing denied"), ("key", "use denied"))
        for fault in (
            (f"{part}: no permission", "any", _without_permission(part)),
            (f"{part}: another service", "any", _set(part, Principal=OTHER_SERVICE)),
            (f"{part}: another account", "any", _set(part, Condition=OTHER_ACCOUNT)),
            (f"{part}: {denied}", "any", lambda t, part=part: t.statements(part).append(DENIAL)),
        )
    ),
    ("topic: another action", "any", _set("topic", Action="sns:Subscribe")),
    ("topic: another topic", "any", _set("topic", Resource=OTHER_TOPIC)),
    ("key: no decryption", "any", _set("key", Action="kms:GenerateDataKey*")),
    ("key: no data keys", "any", _set("key", Action="kms:Decrypt")),
    ("key: AWS managed key", "any", _set("sns", KmsMasterKeyId="alias/aws/sns")),
    ("subscription: missing", "any", lambda t: t.remove(PARTS["subscription"](t))),
    ("subscription: another protocol", "any", _set("subscription", Protocol="sms")),
    ("subscription: another address", "any", _set("subscription", Endpoint="other@example.com")),
    ("subscription: another topic", "any", _set("subscription", TopicArn=OTHER_TOPIC)),
)

MUTATIONS = (
    *(Mutation(name, WHEN[when], apply) for name, when, apply in FAULTS),
    *map(_statistic, STATISTICS),
    *map(_missing_data, ("breaching", "notBreaching", "ignore", "missing")),
    *(
        _expression(*replacement.split(" → "))
        for replacement in (
            *("FILL(enqueued, 0) → FILL(enqueued, 1)", "FILL(sent, 0) → FILL(sent, 1)"),
            *("> 0 → >= 0", "> 0 → == 0", "> 0 → > 1", "< 1 → <= 1", "< 1 → >= 1", "< 1 → < 2"),
            *("AND → OR", "1, 0) → 0, 1)", "REPEAT → 0", "FILL(letters, REPEAT) → letters"),
            "DIFF(FILL(letters, REPEAT)) → FILL(letters, REPEAT)",
            *("FILL(callbacks, 0) → FILL(callbacks, 1)", "FILL(sends, 0) → FILL(sends, 99)"),
            *(">= 10 → > 10", ">= 10 → >= 9", "undelivered < 5 → undelivered <= 5"),
            *("undelivered < 5 → undelivered < 4", "undelivered < 5 → delivered < 5"),
            *("5, 0, → 5, 99,", "100 * → 90 * ", "/ (undelivered + delivered) → / delivered"),
        )
    ),
    *(
        _math_statistic(metric, name)
        for metric in (
            *(ENQUEUED.name, "MessageSentCount", DEAD_LETTERS.name),
            *(UNDELIVERED.name, DELIVERED.name, SENT.name, CALLBACKS.name),
        )
        for name in STATISTICS
    ),
)
