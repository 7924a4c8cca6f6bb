"""The metric filter counts something else, or elsewhere."""

from collections.abc import Callable
from typing import Any

from tests.alarms.cases import Case
from tests.alarms.mutations.mutation import Mutation, Patient


def _counts_lines(case: Case) -> bool:
    return case.counts_lines


def _heeds_level(case: Case) -> bool:
    return case.heeds_level


def _counts_events(case: Case) -> bool:
    return bool(case.events)


def _counts_several_events(case: Case) -> bool:
    return len(case.events) > 1


def _counts_deliveries(case: Case) -> bool:
    return case.subject == "RepeatedFailure"


def _pattern(old: str, new: str) -> Callable[[Patient], None]:
    def replace(patient: Patient) -> None:
        pattern = patient.metric_filter["FilterPattern"]
        patient.metric_filter["FilterPattern"] = pattern.replace(old, new)

    return replace


def _without_event(index: int) -> Callable[[Patient], None]:
    return lambda patient: _pattern(patient.case.events[index], "no_such")(patient)


def _filled(**changes: object) -> Callable[[Patient], None]:
    def change(patient: Patient) -> None:
        (transformation,) = patient.metric_filter["MetricTransformations"]
        transformation.update(changes)

    return change


def _read(log_group: Any) -> Callable[[Patient], None]:
    return lambda patient: patient.metric_filter.update(LogGroupName=log_group)


def _log_elsewhere(patient: Patient) -> None:
    patient.only("WhatsApp", "AWS::Lambda::Function")["LoggingConfig"]["LogGroup"] = "/elsewhere"


OF_FILTERS = (
    Mutation("filter: another event", _without_event(0), _counts_events),
    Mutation(
        "filter: another event in its last place",
        _without_event(-1),
        _counts_several_events,
    ),
    Mutation("filter: every event", _pattern("$.event =", "$.event !="), _counts_events),
    Mutation("filter: another field than event", _pattern("$.event", "$.evt"), _counts_lines),
    Mutation("filter: another level", _pattern("$.level =", "$.level !="), _heeds_level),
    Mutation("filter: another field than level", _pattern("$.level", "$.lvl"), _heeds_level),
    Mutation("filter: any instead of all", _pattern("&&", "||"), _heeds_level),
    Mutation("filter: all instead of any", _pattern("||", "&&"), _counts_several_events),
    Mutation("filter: one delivery later", _pattern(">= 7", ">= 8"), _counts_deliveries),
    Mutation("filter: one delivery earlier", _pattern(">= 7", ">= 6"), _counts_deliveries),
    Mutation("filter: fewer deliveries", _pattern(">= 7", "<= 7"), _counts_deliveries),
    Mutation("filter: ended ones too", _pattern("already_ended", "no_such"), _counts_deliveries),
    Mutation("filter: another log group", _read("/aws/lambda/another"), _counts_lines),
    Mutation("filter: gone", lambda p: p.remove(p.metric_filter), _counts_lines),
    Mutation("filter: another metric", _filled(MetricName="Other"), _counts_lines),
    Mutation("filter: another namespace", _filled(MetricNamespace="Other"), _counts_lines),
    Mutation("filter: counts nothing", _filled(MetricValue="0"), _counts_lines),
    Mutation("filter: counts backwards", _filled(MetricValue="-1"), _counts_lines),
    Mutation("filter: counts other lines too", _filled(DefaultValue=1), _counts_lines),
    Mutation(
        "filter: a metric for each level",
        _filled(Dimensions=[{"Key": "level", "Value": "$.level"}]),
        _counts_lines,
    ),
    Mutation("function: another log group", _log_elsewhere, _counts_lines),
)
