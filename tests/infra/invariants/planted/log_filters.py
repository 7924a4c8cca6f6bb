"""Faults between a metric filter and the lines that it is to count."""

from aws_cdk import aws_logs as logs

from tests.infra.invariants.bench import Bench, Plant
from tests.infra.invariants.fault import Fault, fault
from tests.infra.invariants.templates import put

FILTER = "AWS::Logs::MetricFilter"


def _on_another_log(bench: Bench) -> None:
    bench.processor()
    pattern = logs.FilterPattern.string_value("$.event", "=", "message_sent")
    bench.metric_filter(logs.LogGroup(bench.stack, "Another"), pattern)


def _counting(pattern: str) -> Plant:
    def plant(bench: Bench) -> None:
        bench.metric_filter(bench.processor().log_group, logs.FilterPattern.literal(pattern))

    return plant


def _for(planted: str, pattern: str) -> Fault:
    return fault(
        planted,
        "filters-match-what-is-logged",
        by_code=_counting(pattern),
        by_override=put(FILTER, "FilterPattern", pattern),
    )


def _quiet(bench: Bench) -> None:
    processor = bench.processor(bench.environment(log_level="ERROR"))
    pattern = logs.FilterPattern.string_value("$.event", "=", "message_sent")
    bench.metric_filter(processor.log_group, pattern)


FAULTS = (
    fault(
        "filter on a log that no function writes to",
        "filters-read-a-functions-log",
        by_code=_on_another_log,
        by_override=put(FILTER, "LogGroupName", "/aws/lambda/another"),
    ),
    _for("event that is never logged", '{ $.event = "final_db_update_fails" }'),
    _for(
        "event at a level that it never has",
        '{ ($.level = "CRITICAL") && ($.event = "heartbeat_failed") }',
    ),
    _for(
        "filter for a level that does not exist",
        '{ $.level = "FATAL" && $.event = "message_sent" }',
    ),
    _for(
        "one wrong event of two",
        '{ ($.event = "message_sent") || ($.event = "message_send") }',
    ),
    _for("pattern of neither event nor level", '{ $.failure_step = "send" }'),
    _for("words in a log of JSON", "CRITICAL final_db_update_failed"),
    fault(
        "event below the function's log level",
        "filters-match-what-is-logged",
        by_code=_quiet,
        by_override=put(FILTER, "FilterPattern", '{ $.event = "verbose" }'),
    ),
)
