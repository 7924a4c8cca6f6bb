"""The metric filter counts something else, or elsewhere."""

from collections.abc import Callable
from typing import Any

from tests.alarms.cases import Case
from tests.alarms.mutations.mutation import Mutation, Patient


def _counts_lines(case: Case) -> bool:
    return any(name.endswith("Count") for name in case.statistics)


def _is_repeated(case: Case) -> bool:
    return case.subject == "RepeatedFailure"


def _is_by_level(case: Case) -> bool:
    return _counts_lines(case) and not case.expression


def _pattern(old: str, new: str) -> Callable[[Patient], None]:
    def replace(patient: Patient) -> None:
        pattern = patient.metric_filter["FilterPattern"]
        patient.metric_filter["FilterPattern"] = pattern.replace(old, new)

    return replace


def _without_first_event(patient: Patient) -> None:
    pattern = patient.metric_filter["FilterPattern"]
    patient.metric_filter["FilterPattern"] = pattern.replace(patient.case.events[0], "no_such")


def _without_last_event(patient: Patient) -> None:
    pattern = patient.metric_filter["FilterPattern"]
    patient.metric_filter["FilterPattern"] = pattern.replace(patient.case.events[-1], "no_such")


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
    Mutation("filter: another event", _without_first_event, lambda case: case.events),
    Mutation(
        "filter: another event in its last place",
        _without_last_event,
        lambda case: len(case.events) > 1,
    ),
    Mutation("filter: every event", _pattern("$.event =", "$.event !="), lambda c: c.events),
    Mutation("filter: another field than event", _pattern("$.event", "$.evt"), _counts_lines),
    Mutation("filter: another level", _pattern("$.level =", "$.level !="), _is_by_level),
    Mutation("filter: another field than level", _pattern("$.level", "$.lvl"), _is_by_level),
    Mutation("filter: any instead of all", _pattern("&&", "||"), _is_by_level),
    Mutation("filter: all instead of any", _pattern("||", "&&"), lambda c: len(c.events) > 1),
    Mutation("filter: one delivery later", _pattern(">= 7", ">= 8"), _is_repeated),
    Mutation("filter: one delivery earlier", _pattern(">= 7", ">= 6"), _is_repeated),
    Mutation("filter: fewer deliveries", _pattern(">= 7", "<= 7"), _is_repeated),
    Mutation("filter: ended ones too", _pattern("already_ended", "no_such"), _is_repeated),
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
