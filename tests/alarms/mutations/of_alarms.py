"""The alarm's rule is another one."""

from collections.abc import Callable
from typing import Any

from tests.alarms.cases import Case
from tests.alarms.mutations.mutation import Mutation, Patient


def _set(**changes: object) -> Callable[[Patient], None]:
    return lambda patient: patient.alarm.update(changes)


def _scaled(key: str, factor: float) -> Callable[[Patient], None]:
    return lambda patient: patient.alarm.update({key: int(patient.alarm[key] * factor)})


def _moved(key: str, by: int) -> Callable[[Patient], None]:
    return lambda patient: patient.alarm.update({key: patient.alarm[key] + by})


def _more_data_points(patient: Patient) -> None:
    needed = patient.alarm["DatapointsToAlarm"] + 1
    periods = max(patient.alarm["EvaluationPeriods"], needed)
    patient.alarm.update(DatapointsToAlarm=needed, EvaluationPeriods=periods)


def _first(change: Callable[[dict[str, Any]], object]) -> Callable[[Patient], object]:
    """Change the first metric that the alarm looks at."""
    return lambda patient: change(patient.metrics[0])


def _no_dimension(metric: dict[str, Any]) -> None:
    del metric["Dimensions"]


def _another_dimension(metric: dict[str, Any]) -> None:
    metric["Dimensions"] = [{**metric["Dimensions"][0], "Value": "another"}]


def _one_dimension_more(metric: dict[str, Any]) -> None:
    metric["Dimensions"] = [*metric.get("Dimensions", []), {"Name": "service", "Value": "any"}]


def _is_plain(case: Case) -> bool:
    return not case.expression


def _has_dimensions(case: Case) -> bool:
    return not case.counts_lines or bool(case.expression)


def _statistic(name: str) -> Mutation:
    return Mutation(
        f"alarm: statistic {name}",
        _set(Statistic=name),
        lambda case: case.expected and case.expected.statistic != name,
    )


def _comparison(name: str) -> Mutation:
    return Mutation(f"alarm: {name}", _set(ComparisonOperator=name))


def _missing(name: str) -> Mutation:
    return Mutation(f"alarm: missing data {name}", _set(TreatMissingData=name))


OF_ALARMS = (
    Mutation("alarm: gone", lambda patient: patient.remove(patient.alarm)),
    Mutation("alarm: another metric", _first(lambda metric: metric.update(MetricName="Other"))),
    Mutation("alarm: another namespace", _first(lambda metric: metric.update(Namespace="Other"))),
    Mutation("alarm: no dimension", _first(_no_dimension), _has_dimensions),
    Mutation("alarm: another dimension", _first(_another_dimension), _has_dimensions),
    Mutation("alarm: one dimension more", _first(_one_dimension_more)),
    *map(_statistic, ("Sum", "Average", "Minimum", "Maximum", "SampleCount")),
    Mutation("alarm: a longer period", _scaled("Period", 3), _is_plain),
    Mutation("alarm: a shorter period", _scaled("Period", 1 / 5), _is_plain),
    Mutation("alarm: more evaluation periods", _scaled("EvaluationPeriods", 3)),
    Mutation(
        "alarm: fewer evaluation periods",
        _moved("EvaluationPeriods", -1),
        lambda case: case.expected and case.expected.breaching < case.expected.periods,
    ),
    Mutation(
        "alarm: more data points to alarm",
        lambda p: (
            p.alarm.update(DatapointsToAlarm=p.alarm["DatapointsToAlarm"] + 1)
            or p.alarm.update(
                EvaluationPeriods=max(p.alarm["EvaluationPeriods"], p.alarm["DatapointsToAlarm"])
            )
        ),
    ),
    Mutation(
        "alarm: fewer data points to alarm",
        _moved("DatapointsToAlarm", -1),
        lambda case: (
            case.subject == "NoMessageSent" or (case.expected and case.expected.breaching > 1)
        ),
    ),
    Mutation("alarm: a higher threshold", _moved("Threshold", 1)),
    Mutation("alarm: a lower threshold", _moved("Threshold", -1)),
    *map(
        _comparison,
        ("GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"),
    ),
    *map(_missing, ("breaching", "ignore", "missing")),
    Mutation("alarm: actions disabled", _set(ActionsEnabled=False)),
    Mutation("alarm: no action", _set(AlarmActions=[])),
    Mutation("alarm: another topic", _set(AlarmActions=["arn:aws:sns:eu-west-1:111122223333:x"])),
    Mutation("alarm: does not tell the end", _set(OKActions=[]), lambda case: case.tells_the_end),
    Mutation(
        "alarm: tells an end",
        lambda patient: patient.alarm.update(OKActions=patient.alarm["AlarmActions"]),
        lambda case: not case.tells_the_end,
    ),
    Mutation("alarm: another text", _set(AlarmDescription="Something is wrong.")),
)
