"""Metrics that the embedded AWS does not publish: of log lines and of queues."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from local.aws import Aws
from local.emulator import metric_relay
from local.emulator.alerts import AlertSubscription
from local.emulator.filter_patterns import UnsupportedPatternError
from local.emulator.function_logs import LogReader
from local.emulator.metric_relay import MetricRelay, RelayThread
from local.emulator.queue_metrics import AGE_SECONDS, QueueAgeMetric, QueueDepthMetric
from local.errors import LocalCloudError
from tests.local.emulator.log_group import MATCHING, OTHER, LogGroup
from tests.support.metrics import metric_sum

MORE_THAN_A_RESPONSE = 10_050
"""The embedded AWS returns at most 10,000 events, without a token for the rest."""


@pytest.mark.parametrize("interval", [1, 1_000])
def test_log_lines_are_read_once(embedded_aws: Aws, interval: int) -> None:
    """Each line is read once and in order, however many there are and however close in time."""
    log_group, now = LogGroup(embedded_aws), int(time.time()) * 1_000
    reader = LogReader(embedded_aws, log_group.name)
    lines = [str(number) for number in range(MORE_THAN_A_RESPONSE)]
    log_group.write(*lines, first_at=now - interval * len(lines), interval=interval)
    assert lines == [line.text for line in reader.new_lines()]
    log_group.write("another", first_at=now)
    assert ["another"] == [line.text for line in reader.new_lines()]


def test_matching_lines_become_data_points(embedded_aws: Aws) -> None:
    """Each line that matches the filter adds the filter's value to its metric."""
    log_group = LogGroup(embedded_aws, value="2")
    log_group.write(MATCHING, OTHER, "no JSON", MATCHING)
    assert 2 == MetricRelay(embedded_aws, log_group.name).update()
    assert 4 == log_group.sum()


def test_each_line_counts_once(embedded_aws: Aws) -> None:
    """A line is counted once, even if an equal one follows in the same millisecond."""
    log_group = LogGroup(embedded_aws)
    relay = MetricRelay(embedded_aws, log_group.name)
    log_group.write(MATCHING, MATCHING)
    assert [2, 0] == [relay.update(), relay.update()]
    log_group.write(MATCHING)
    assert [1, 0] == [relay.update(), relay.update()]
    assert 3 == log_group.sum()


def test_embedded_metrics_become_data_points(embedded_aws: Aws) -> None:
    """A line with metrics adds all their values, by its dimensions, and once."""
    log_group = LogGroup(embedded_aws)
    relay = MetricRelay(embedded_aws, log_group.name)
    log_group.write(log_group.embedded({"Sent": [1, 2, 3], "Received": 4}))
    log_group.write(log_group.embedded({"step": "ai", "Failures": [5]}, "step"))
    assert [3, 0] == [relay.update(), relay.update()]
    assert (6, 4) == (log_group.sum("Sent"), log_group.sum("Received"))
    assert (5, 0) == (log_group.sum("Failures", step="ai"), log_group.sum("Failures", step="send"))


@pytest.mark.parametrize(
    "line", [lambda _: MATCHING, lambda group: group.embedded({"Lost": [2]})], ids=["filter", "emf"]
)
def test_an_alarm_notifies_its_subscriber(
    embedded_aws: Aws, line: Callable[[LogGroup], str]
) -> None:
    """A line that matches a filter or contains a metric sets off an alarm, which is notified."""
    log_group = LogGroup(embedded_aws)
    topic_arn = embedded_aws.sns.create_topic(Name=log_group.name)["TopicArn"]
    subscription = AlertSubscription(embedded_aws, topic_arn)
    log_group.create_alarm(topic_arn)
    relay = MetricRelay(embedded_aws, log_group.name)
    log_group.write(OTHER)
    relay.update()
    assert [] == subscription.all_alerts()
    log_group.write(line(log_group))
    relay.update()
    (alert,) = subscription.all_alerts()
    assert (log_group.name, "ALARM") == (alert.alarm, alert.state)
    assert alert == subscription.alarm_on(f"{log_group.name}/Lost")


def _without_declared_metric(log_group: LogGroup) -> str:
    return log_group.embedded({"Sent": 1}).replace('"Sent": 1', '"Other": 1')


@pytest.mark.parametrize(
    ("filter_options", "line", "error", "text"),
    [
        ({"pattern": "{ $.l = %CRIT% }"}, lambda _: MATCHING, UnsupportedPatternError, "%CRIT%"),
        ({"value": "$.count"}, lambda _: MATCHING, LocalCloudError, r"\$\.count"),
        ({}, _without_declared_metric, LocalCloudError, "'Sent'"),
    ],
    ids=["pattern", "value", "metric"],
)
def test_what_cannot_be_evaluated_is_an_error(
    embedded_aws: Aws,
    filter_options: dict[str, str],
    line: Callable[[LogGroup], str],
    error: type[LocalCloudError],
    text: str,
) -> None:
    """An unsupported pattern or value, and a missing declared metric, are errors."""
    log_group = LogGroup(embedded_aws, **filter_options)
    log_group.write(line(log_group))
    with pytest.raises(error, match=text):
        MetricRelay(embedded_aws, log_group.name).update()


def test_the_thread_raises_its_error_at_the_end(embedded_aws: Aws) -> None:
    """An error in the relay's thread is raised at the end of its block."""
    relay = MetricRelay(embedded_aws, "no-such-log-group")
    with (
        pytest.raises(embedded_aws.logs.exceptions.ResourceNotFoundException),
        RelayThread(relay.update) as thread,
    ):
        thread.join(5)


def test_data_points_are_published_in_few_requests(
    embedded_aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines are new, a namespace takes as few requests as possible."""
    monkeypatch.setattr(metric_relay, "MAX_DATA", 3)
    log_group = LogGroup(embedded_aws)
    log_group.write(*[MATCHING] * 4, log_group.embedded({"Sent": [1, 2], "Received": 4}))

    with _published(embedded_aws) as sizes:
        assert 6 == MetricRelay(embedded_aws, log_group.name).update()

    assert [3, 3] == sizes
    assert (4, 3) == (log_group.sum(), log_group.sum("Sent"))


@contextmanager
def _published(aws: Aws) -> Iterator[list[int]]:
    """Yield the number of data points of each request in the `with` block."""
    sizes: list[int] = []
    event = "provide-client-params.cloudwatch.PutMetricData"

    def record(params: dict[str, list[object]], **_: object) -> None:
        sizes.append(len(params["MetricData"]))

    aws.cloudwatch.meta.events.register(event, record)
    yield sizes
    aws.cloudwatch.meta.events.unregister(event, record)


@pytest.fixture
def queue_url(embedded_aws: Aws) -> str:
    """Create a queue."""
    return embedded_aws.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]


def _receive_one(aws: Aws, queue_url: str) -> None:
    aws.sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    aws.sqs.receive_message(QueueUrl=queue_url)


def test_the_depth_of_a_queue_is_published(embedded_aws: Aws, queue_url: str) -> None:
    """The number of messages, including those in flight, is published once it is not 0."""
    metric = QueueDepthMetric(embedded_aws, queue_url)
    dimensions = {"QueueName": queue_url.rpartition("/")[2]}

    def published() -> list[float]:
        metric.update()
        name = "ApproximateNumberOfMessagesVisible"
        return [metric_sum(embedded_aws, "AWS/SQS", name, **dimensions)]

    assert [0] == published()
    _receive_one(embedded_aws, queue_url)
    assert [1] == published()
    assert [1] == published()


def test_the_age_of_a_queue_is_published(embedded_aws: Aws, queue_url: str) -> None:
    """The age of the oldest message, even in flight, is published at intervals; 0 if empty."""
    now = [time.time()]
    metric = QueueAgeMetric(embedded_aws, queue_url, clock=lambda: now[0])
    dimensions = {"QueueName": queue_url.rpartition("/")[2]}

    def published(after: float) -> float:
        now[0] += after
        metric.update()
        name = "ApproximateAgeOfOldestMessage"
        return metric_sum(embedded_aws, "AWS/SQS", name, **dimensions)

    assert 0 == published(after=0)
    _receive_one(embedded_aws, queue_url)
    assert 0 == published(after=AGE_SECONDS / 2)
    assert 500 < published(after=600) <= 600 + AGE_SECONDS / 2
