"""What can be seen of a channel from outside: where messages wait, what became of them, alarms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambda_src.core.metric_names import ENDS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

    from ops.deployment import Deployment

AGE_MINUTES = 15
"""SQS tells CloudWatch about a queue's age every minute, while the queue is in use."""


@dataclass(frozen=True)
class Alarm:
    """An alarm of the channel; `since` is when it went to that state."""

    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True)
class Sight:
    """One look at a channel.

    Attributes:
        waiting: Messages on the queue that are visible.
        in_flight: Messages that are worked on, or in backoff.
        dead_letters: Messages given up, those in somebody's hands included.
        oldest_seconds: Age of the oldest message on the queue; None where CloudWatch tells none.
        mapping: Whether messages are handed to the function: `Enabled`, or not.
        hours: How far back `outcomes` go.
        outcomes: How many deliveries ended in which way.
        alarms: The channel's alarms.
    """

    waiting: int
    in_flight: int
    dead_letters: int
    oldest_seconds: float | None
    mapping: str
    hours: float
    outcomes: Mapping[str, int]
    alarms: tuple[Alarm, ...]

    @property
    def alarming(self) -> tuple[Alarm, ...]:
        """The alarms that are on."""
        return tuple(alarm for alarm in self.alarms if alarm.state == "ALARM")

    def document(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def look(deployment: Deployment, hours: float, now: float) -> Sight:
    """Look at a channel; `now` is in epoch seconds."""
    aws, settings = deployment.aws, deployment.settings
    waiting, in_flight = _counts(deployment, settings.queue_url)
    mappings = aws.functions.list_event_source_mappings(FunctionName=deployment.function)
    states = [mapping["State"] for mapping in mappings["EventSourceMappings"]]
    return Sight(
        waiting=waiting,
        in_flight=in_flight,
        dead_letters=sum(_counts(deployment, deployment.dead_letter_queue_url)),
        oldest_seconds=_age_of_oldest(deployment, now),
        mapping=", ".join(states) or "missing",
        hours=hours,
        outcomes=_outcomes(deployment, hours, now),
        alarms=_alarms(deployment),
    )


def _counts(deployment: Deployment, url: str) -> tuple[int, int]:
    """Visible messages of a queue, and those in somebody's hands or delayed."""
    names = ("", "NotVisible", "Delayed")
    attributes: Mapping[Any, str] = deployment.aws.sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],  # type: ignore[misc]  # names put together
    )["Attributes"]
    visible, *hidden = (int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names)
    return visible, sum(hidden)


def _age_of_oldest(deployment: Deployment, now: float) -> float | None:
    query = _query(
        "age",
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        "Maximum",
        60,
        {"QueueName": deployment.settings.queue_url.rpartition("/")[2]},
    )
    values = _values(deployment, [query], now - AGE_MINUTES * 60, now)["age"]
    return values[0] if values else None


def _outcomes(deployment: Deployment, hours: float, now: float) -> dict[str, int]:
    namespace = deployment.settings.powertools_metrics_namespace
    names: dict[str, Metric] = {f"m{number}": end for number, end in enumerate(ENDS)}
    queries = [_query(id_, namespace, end, "Sum", 300, {}) for id_, end in names.items()]
    values = _values(deployment, queries, now - hours * 3600, now)
    return {str(end): int(sum(values[id_])) for id_, end in names.items()}


def _alarms(deployment: Deployment) -> tuple[Alarm, ...]:
    names = list(deployment.alarm_names)
    found = deployment.aws.cloudwatch.describe_alarms(AlarmNames=names, MaxRecords=100)
    alarms = [
        Alarm(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateUpdatedTimestamp"))
        for alarm in found["MetricAlarms"]
    ]
    return tuple(sorted(alarms, key=lambda alarm: names.index(alarm.name)))


def _query(  # noqa: PLR0917 - as CloudWatch names a series
    id_: str, namespace: str, name: str, statistic: str, period: int, dimensions: Mapping[str, str]
) -> MetricDataQueryTypeDef:
    wanted = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric: Any = {"Namespace": namespace, "MetricName": name, "Dimensions": wanted}
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


def _values(
    deployment: Deployment, queries: Sequence[MetricDataQueryTypeDef], start: float, end: float
) -> dict[str, list[float]]:
    """Each series' values, the newest first."""
    results = deployment.aws.cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(end, UTC) + timedelta(minutes=1),
        ScanBy="TimestampDescending",
    )["MetricDataResults"]
    return {result["Id"]: result["Values"] for result in results}
