"""Status of a channel: queue depths, outcomes, alarms, and what the operator should do next."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambda_src.core import Metric, OpenWork
from lambda_src.core.contract import ENDS
from lambda_src.services.dynamodb_service import OpenWorkTable
from ops.console import NextStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

    from ops.deployment import Deployment

AGE_WINDOW_MINUTES = 15
"""SQS publishes the age of a queue's oldest message every minute while the queue is in use."""
LOOKUP_WINDOW_MINUTES = 20
"""The scheduled job publishes the age of the oldest lookup that is due every 15 minutes."""
REPORTS = (Metric.MESSAGES_DELIVERED, Metric.MESSAGES_READ, Metric.MESSAGES_UNDELIVERED)
"""The metrics of what the vendor reported. A message that was read was delivered, too."""
MAX_AGE_SECONDS = 900
"""The age from which the alarm OldestMessage counts."""

_ALARM_SUBJECT = re.compile(r"Processor(\w+)Alarm-")


@dataclass(frozen=True)
class Alarm:
    """An alarm of the channel; `since` is the time of its last state change."""

    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True)
class ChannelStatus:
    """A channel at one moment.

    What is about delivery events is None or empty for a channel without an events queue.

    Attributes:
        waiting: Visible messages on the queue.
        in_flight: Messages in processing or in backoff.
        dead_letters: Messages in the dead-letter queue, including those in flight.
        oldest_seconds: Age of the oldest message on the queue; None if CloudWatch has no value.
        mapping: State of the event source mapping: `Enabled`, or another one.
        hours: The period of `outcomes`.
        outcomes: Number of deliveries by outcome.
        alarms: The channel's alarms.
        reports: Number of messages by what the vendor reported of them.
        events_waiting: Visible events on the events queue.
        events_in_flight: Events in processing, in backoff or delayed.
        events_dead_letters: Events in their dead-letter queue.
        events_mapping: State of the event source mapping of the events worker.
        oldest_lookup_seconds: How long the oldest lookup at the vendor has been due at the latest
            run of the scheduled job; None without such a run.
        drafts: Drafts that wait for an operator; None for a channel that holds none.
        oldest_draft_seconds: How long the oldest of them has been waiting; None if there is none.
        unknown: Sends of unknown outcome that wait for an operator.
    """

    waiting: int
    in_flight: int
    dead_letters: int
    oldest_seconds: float | None
    mapping: str
    hours: float
    outcomes: Mapping[str, int]
    alarms: tuple[Alarm, ...]
    reports: Mapping[str, int] = field(default_factory=dict)
    events_waiting: int | None = None
    events_in_flight: int | None = None
    events_dead_letters: int | None = None
    events_mapping: str | None = None
    oldest_lookup_seconds: float | None = None
    drafts: int | None = None
    oldest_draft_seconds: float | None = None
    unknown: int = 0

    @property
    def active_alarms(self) -> tuple[Alarm, ...]:
        """The alarms in the state ALARM."""
        return tuple(alarm for alarm in self.alarms if alarm.state == "ALARM")

    def next_steps(self, command_line: Callable[..., str]) -> Iterator[str | NextStep]:
        """Yield what the operator should do, the most important first.

        Args:
            command_line: Returns a command for this channel, to be pasted into a shell.
        """
        for alarm in self.active_alarms:
            yield f"{alarm.name} is in ALARM: {_runbook_section(alarm.name)}"
        if self.mapping != "Enabled":
            yield f"the event source mapping is {self.mapping}: docs/runbook.md, Pausing"
        if self.unknown:
            text = f"{self.unknown} sends have an unknown outcome"
            yield NextStep(text, command_line("unknown", "list"))
        if self.drafts:
            text = f"{self.drafts} drafts wait for a decision"
            yield NextStep(text, command_line("approvals", "list"))
        if self.dead_letters:
            text = f"{self.dead_letters} dead-letter messages"
            yield NextStep(text, command_line("dlq", "list"))
        if (self.oldest_seconds or 0) > MAX_AGE_SECONDS:
            yield "messages wait too long: docs/runbook.md#oldestmessage"
        yield from self._steps_of_events(command_line)

    def _steps_of_events(self, command_line: Callable[..., str]) -> Iterator[str | NextStep]:
        if self.events_mapping not in {None, "Enabled"}:
            state = self.events_mapping
            yield f"the events worker's mapping is {state}: docs/runbook.md#oldestevent"
        if self.events_dead_letters:
            text = f"{self.events_dead_letters} dead-letter events"
            yield NextStep(text, command_line("dlq", "list", "--events"))
        if undelivered := self.reports.get(Metric.MESSAGES_UNDELIVERED):
            text = f"{undelivered} messages were not delivered"
            yield NextStep(text, command_line("conversation", "undelivered"))


def read_status(deployment: Deployment, hours: float, now: float) -> ChannelStatus:
    """Read a channel's status; `now` is in epoch seconds."""
    waiting, in_flight = _message_counts(deployment, deployment.settings.queue_url)
    status = ChannelStatus(
        waiting=waiting,
        in_flight=in_flight,
        dead_letters=sum(_message_counts(deployment, deployment.dead_letter_queue_url)),
        oldest_seconds=_oldest_seconds(deployment, now),
        mapping=_mapping(deployment, FunctionName=deployment.function),
        hours=hours,
        outcomes=_sums(deployment, ENDS, hours, now),
        alarms=_alarms(deployment),
        unknown=len(_open_work(deployment, OpenWork.UNKNOWN, now)),
    )
    if deployment.settings.handoff_queue_url:
        status = _with_drafts(status, deployment, now)
    return _with_events(status, deployment, now) if deployment.events_queue_url else status


def _with_drafts(status: ChannelStatus, deployment: Deployment, now: float) -> ChannelStatus:
    since = _open_work(deployment, OpenWork.HELD, now)
    return replace(
        status, drafts=len(since), oldest_draft_seconds=now - since[0] if since else None
    )


def _open_work(deployment: Deployment, kind: OpenWork, now: float) -> list[float]:
    """Return since when records have been waiting for an operator, the oldest first."""
    table_name = deployment.settings.conversations_table
    index = OpenWorkTable(deployment.aws.dynamodb, table_name, deployment.channel)
    return [at for at, _ in index.due(kind, now)]


def _with_events(status: ChannelStatus, deployment: Deployment, now: float) -> ChannelStatus:
    url = deployment.events_queue_url
    waiting, in_flight = _message_counts(deployment, url)
    found = deployment.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return replace(
        status,
        reports=_sums(deployment, REPORTS, status.hours, now),
        events_waiting=waiting,
        events_in_flight=in_flight,
        events_dead_letters=sum(
            _message_counts(deployment, deployment.events_dead_letter_queue_url)
        ),
        events_mapping=_mapping(deployment, EventSourceArn=found["Attributes"]["QueueArn"]),
        oldest_lookup_seconds=_latest(
            deployment,
            _query("lookup", _namespace(deployment), Metric.OLDEST_LOOKUP_SECONDS, "Maximum", 60),
            LOOKUP_WINDOW_MINUTES,
            now,
        ),
    )


def _runbook_section(alarm: str) -> str:
    """Return the runbook's section about an alarm, which has the name of the alarm's subject."""
    subject = _ALARM_SUBJECT.search(alarm)
    return f"docs/runbook.md#{subject[1].lower()}" if subject else "docs/runbook.md"


def _namespace(deployment: Deployment) -> str:
    return deployment.settings.powertools_metrics_namespace


def _mapping(deployment: Deployment, **of: str) -> str:
    """Return the state of the event source mapping of a function, or of a queue."""
    found = deployment.aws.functions.list_event_source_mappings(**of)["EventSourceMappings"]  # type: ignore[arg-type]  # one of two options
    return ", ".join(mapping["State"] for mapping in found) or "missing"


def _message_counts(deployment: Deployment, url: str) -> tuple[int, int]:
    """Return a queue's visible messages, and its messages in flight or delayed."""
    names = ("", "NotVisible", "Delayed")
    attributes: Mapping[Any, str] = deployment.aws.sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],  # type: ignore[misc]  # composed names
    )["Attributes"]
    visible, *hidden = (int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names)
    return visible, sum(hidden)


def _oldest_seconds(deployment: Deployment, now: float) -> float | None:
    query = _query(
        "age",
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        "Maximum",
        60,
        {"QueueName": deployment.settings.queue_url.rpartition("/")[2]},
    )
    return _latest(deployment, query, AGE_WINDOW_MINUTES, now)


def _latest(
    deployment: Deployment, query: MetricDataQueryTypeDef, minutes: float, now: float
) -> float | None:
    """Return a metric's latest value of the last minutes; None if it has none."""
    values = _values(deployment, [query], now - minutes * 60, now)[query["Id"]]
    return values[max(values)] if values else None


def _sums(
    deployment: Deployment, metrics: Sequence[Metric], hours: float, now: float
) -> dict[str, int]:
    ids = {f"m{number}": metric for number, metric in enumerate(metrics)}
    queries = [_query(id_, _namespace(deployment), name, "Sum", 300) for id_, name in ids.items()]
    values = _values(deployment, queries, now - hours * 3600, now)
    return {str(metric): int(sum(values[id_].values())) for id_, metric in ids.items()}


def _alarms(deployment: Deployment) -> tuple[Alarm, ...]:
    names = list(deployment.alarm_names)
    found = deployment.aws.cloudwatch.describe_alarms(AlarmNames=names, MaxRecords=100)
    alarms = [
        Alarm(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateUpdatedTimestamp"))
        for alarm in found["MetricAlarms"]
    ]
    return tuple(sorted(alarms, key=lambda alarm: names.index(alarm.name)))


def _query(  # noqa: PLR0917 - the parts of CloudWatch's metric identity
    id_: str,
    namespace: str,
    name: str,
    statistic: str,
    period: int,
    dimensions: Mapping[str, str] | None = None,
) -> MetricDataQueryTypeDef:
    filters = [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()]
    metric: Any = {"Namespace": namespace, "MetricName": name, "Dimensions": filters}
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


def _values(
    deployment: Deployment, queries: Sequence[MetricDataQueryTypeDef], start: float, end: float
) -> dict[str, dict[datetime, float]]:
    """Return each query's values by their times, in no particular order."""
    pages = deployment.aws.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(end, UTC) + timedelta(minutes=1),
    )
    found: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    for result in (result for page in pages for result in page["MetricDataResults"]):
        found[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    return found
