"""The metrics that alarms watch, against those that somebody makes."""

from collections.abc import Iterator

from lambda_src.core.contract import METRICS_NAMESPACE
from lambda_src.core.metric_names import Metric
from stacks.invariants.assembly import Assembly, Resource
from stacks.invariants.consumer import functions
from stacks.invariants.invariant import Finding, invariant
from stacks.invariants.log_filters import FILTER

ALARM = "AWS::CloudWatch::Alarm"
OF_AWS = "AWS/"
"""What the namespaces of AWS's own metrics begin with."""

Named = tuple[str, str]
"""A metric's namespace and name."""


@invariant(
    "alarms-watch-what-is-measured",
    holds=(
        "Each metric that an alarm watches is AWS's own, made by a metric filter of the app, or"
        " emitted by a processor of the app."
    ),
    remedy="Take namespace and name from the filter (`metric_filter.metric()`) or from `Metric`.",
)
def alarms_watch_what_is_measured(assembly: Assembly) -> Iterator[Finding]:
    """An alarm on a metric without data stays silent, or never ends."""
    made = {*_counted(assembly), *_emitted(assembly)}
    for alarm in assembly.of(ALARM):
        for namespace, name in _watched(alarm):
            if not namespace.startswith(OF_AWS) and (namespace, name) not in made:
                yield Finding(alarm, "MetricName", f"is {name} of {namespace}, which nobody makes")


def _watched(alarm: Resource) -> Iterator[Named]:
    if alarm.value("MetricName"):
        yield str(alarm.value("Namespace")), str(alarm.value("MetricName"))
    for part in alarm.value("Metrics", []):
        if metric := part.get("MetricStat", {}).get("Metric"):
            yield str(metric.get("Namespace")), str(metric.get("MetricName"))


def _counted(assembly: Assembly) -> Iterator[Named]:
    for metric_filter in assembly.all_of(FILTER):
        for made in metric_filter.value("MetricTransformations", []):
            yield str(made.get("MetricNamespace")), str(made.get("MetricName"))


def _emitted(assembly: Assembly) -> Iterator[Named]:
    for function in functions(assembly):
        if namespace := function.variables.get(METRICS_NAMESPACE):
            yield from ((namespace, metric.value) for metric in Metric)
