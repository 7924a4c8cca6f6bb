"""Faults between an alarm and the metric that it is to watch."""

from aws_cdk import aws_logs as logs

from tests.infra.invariants.bench import Bench, Plant
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import put

ALARM = "AWS::CloudWatch::Alarm"
FILTER = "AWS::Logs::MetricFilter"
SUBJECT = "FinalDbUpdateFailure"

EMITTED = "AIComms/PushProcessor/Dev"
ELSEWHERE = [{"MetricNamespace": "Elsewhere", "MetricName": "Lines", "MetricValue": "1"}]


def _watching(namespace: str, name: str) -> Plant:
    def plant(bench: Bench) -> None:
        processor = bench.processor()
        processor.function.add_environment("POWERTOOLS_METRICS_NAMESPACE", EMITTED)
        bench.alarm(bench.topic(), watching=(namespace, name))

    return plant


def _filled_beside(bench: Bench) -> None:
    pattern = logs.FilterPattern.string_value("$.event", "=", "message_sent")
    bench.metric_filter(bench.processor().log_group, pattern)
    bench.alarm(bench.topic(), watching=("Push", "Line"))


FAULTS = (
    fault(
        "alarm on a namespace that nobody writes to",
        "alarms-watch-what-is-measured",
        by_code=_watching("AIComms/PullProcessor/Dev", "MessagesSent"),
        by_override=put(ALARM, "Namespace", "AIComms/SmsProcessor/Dev", SUBJECT),
    ),
    fault(
        "alarm on a name that nobody fills",
        "alarms-watch-what-is-measured",
        by_code=_watching(EMITTED, "MessagesSend"),
        by_override=put(ALARM, "MetricName", "FinalDbUpdateFailures", SUBJECT),
    ),
    fault(
        "metric filter that fills another metric than its alarm's",
        "alarms-watch-what-is-measured",
        by_code=_filled_beside,
        by_override=put(FILTER, "MetricTransformations", ELSEWHERE, SUBJECT),
    ),
)
