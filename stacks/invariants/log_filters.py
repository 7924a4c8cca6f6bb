"""Metric filters, against the lines that the functions log."""

import re
from collections.abc import Iterator, Sequence

from lambda_src.core.contract import LOG_LEVELS, LOGGED_AT, LogEvent
from stacks.invariants.assembly import Assembly, Resource
from stacks.invariants.consumer import FUNCTION, Function
from stacks.invariants.invariant import Finding, invariant

FILTER = "AWS::Logs::MetricFilter"
GROUP = "AWS::Logs::LogGroup"

_TERM = re.compile(r'\$\.(?P<field>event|level)\s*=\s*"(?P<value>[^"]*)"')


@invariant(
    "filters-read-a-functions-log",
    holds="A metric filter reads a log group that a function of the app writes to.",
    remedy="Give the filter the log group of the function whose lines it is to count.",
)
def filters_read_a_functions_log(assembly: Assembly) -> Iterator[Finding]:
    """On any other group it waits for ever."""
    for metric_filter in assembly.of(FILTER):
        if _writer(assembly, metric_filter) is None:
            yield Finding(metric_filter, "LogGroupName", "is a log that no function writes to")


@invariant(
    "filters-match-what-is-logged",
    holds=(
        "A metric filter on a processor's log names events that the runtime logs, at the levels"
        " and above the LOG_LEVEL that it logs them at, or else a level that is logged."
    ),
    remedy="Name one of the runtime's events (`LogEvent`), at its level or at none.",
)
def filters_match_what_is_logged(assembly: Assembly) -> Iterator[Finding]:
    """A pattern that no line matches makes an alarm that stays silent for ever."""
    for metric_filter in assembly.of(FILTER):
        writer = _writer(assembly, metric_filter)
        if writer and writer.is_processor:
            pattern = str(metric_filter.value("FilterPattern"))
            for problem in _problems(pattern, writer):
                yield Finding(metric_filter, "FilterPattern", problem)


def _problems(pattern: str, writer: Function) -> Iterator[str]:
    """Yield what is wrong with each alternative of a pattern."""
    least = writer.settings.log_level if writer.settings else LOG_LEVELS[0]
    for alternative in pattern.split("||"):
        terms = [(term["field"], term["value"]) for term in _TERM.finditer(alternative)]
        events = [value for field, value in terms if field == "event"]
        levels = [value for field, value in terms if field == "level"]
        if not events and not _logged(LOG_LEVELS, least) & set(levels):
            yield f"names neither an event nor a level of the log in {alternative.strip()!r}"
        for event in events:
            if event not in list(LogEvent):
                yield f"names the event {event!r}, which the runtime never logs"
            elif not _logged(LOGGED_AT[LogEvent(event)], least) & set(levels or LOG_LEVELS):
                said = f" at {'/'.join(levels)}" if levels else ""
                logged = "/".join(LOGGED_AT[LogEvent(event)])
                yield f"names {event!r}{said}, logged at {logged} while LOG_LEVEL is {least}"


def _logged(levels: Sequence[str], least: str) -> set[str]:
    """Return those of the levels that are logged at all."""
    return set(levels) & set(LOG_LEVELS[LOG_LEVELS.index(least) :])


def _writer(assembly: Assembly, metric_filter: Resource) -> Function | None:
    """Return the function that writes to the log group that a filter reads."""
    group = _group(assembly, metric_filter, metric_filter.value("LogGroupName"))
    for resource in assembly.all_of(FUNCTION):
        own = resource.value("LoggingConfig.LogGroup")
        default = f"/aws/lambda/{resource.value('FunctionName')}"
        if group == _group(assembly, resource, own or default):
            return Function(resource)
    return None


def _group(assembly: Assembly, resource: Resource, value: object) -> object:
    """Return a log group's name, or the group itself where it has none that is written out."""
    group = assembly.referred(resource.template, value, GROUP)
    return group.value("LogGroupName", group) if group else value
