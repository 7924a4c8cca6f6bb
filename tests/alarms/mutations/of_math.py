"""The alarm's metric math works out something else."""

from collections.abc import Callable

from tests.alarms.cases import Case
from tests.alarms.mutations.mutation import Mutation, Patient


def _expression(old: str, new: str) -> Mutation:
    def replace(patient: Patient) -> None:
        patient.query["Expression"] = patient.query["Expression"].replace(old, new)

    return Mutation(f"math: {new} instead of {old}", replace, lambda case: old in case.expression)


def _period(factor: float) -> Callable[[Patient], None]:
    def scale(patient: Patient) -> None:
        for stat in patient.stats:
            stat["Period"] = int(stat["Period"] * factor)

    return scale


def _statistic(metric: str, name: str) -> Mutation:
    def change(patient: Patient) -> None:
        for stat in patient.stats:
            if stat["Metric"]["MetricName"] == metric:
                stat["Stat"] = name

    return Mutation(
        f"math: {name} of {metric}",
        change,
        lambda case: case.expression and case.statistics.get(metric, name) != name,
    )


def _return_a_metric(patient: Patient) -> None:
    patient.query["ReturnData"] = False
    del next(query for query in patient.alarm["Metrics"] if "MetricStat" in query)["ReturnData"]


def _of_second(**changes: str) -> Callable[[Patient], None]:
    return lambda patient: patient.metrics[1].update(changes)


def _has_two_metrics(case: Case) -> bool:
    return len(case.statistics) > 1


OF_MATH = (
    _expression("FILL(enqueued, 0)", "FILL(enqueued, 1)"),
    _expression("FILL(sent, 0)", "FILL(sent, 1)"),
    _expression("> 0", ">= 0"),
    _expression("> 0", "== 0"),
    _expression("> 0", "> 1"),
    _expression("< 1", "<= 1"),
    _expression("< 1", ">= 1"),
    _expression("< 1", "< 2"),
    _expression("AND", "OR"),
    _expression("1, 0)", "0, 1)"),
    _expression("REPEAT", "0"),
    _expression("DIFF(FILL(letters, REPEAT))", "FILL(letters, REPEAT)"),
    _expression("FILL(letters, REPEAT)", "letters"),
    Mutation("math: longer periods", _period(3), lambda case: case.expression),
    Mutation("math: shorter periods", _period(1 / 5), lambda case: case.expression),
    Mutation("math: a metric instead of the result", _return_a_metric, lambda c: c.expression),
    Mutation("math: another second metric", _of_second(MetricName="Other"), _has_two_metrics),
    Mutation("math: another second namespace", _of_second(Namespace="Other"), _has_two_metrics),
    *(
        _statistic(metric, name)
        for metric in (
            "NumberOfMessagesSent",
            "MessageSentCount",
            "ApproximateNumberOfMessagesVisible",
        )
        for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
    ),
)
