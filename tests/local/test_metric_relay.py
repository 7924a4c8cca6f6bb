"""The relay from log lines to metrics, on an embedded AWS with a log group of its own."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.alerts import AlertsInbox
from local.aws import Aws
from local.errors import LocalCloudError
from local.filter_pattern import UnknownPatternError
from local.metric_relay import MetricRelay, RelayThread

PATTERN = '{ ($.level = "CRITICAL") && ($.event = "lost") }'
MATCHING = json.dumps({"level": "CRITICAL", "event": "lost"})
OTHER = json.dumps({"level": "INFO", "event": "lost"})


class Logged:
    """A log group with one stream and one metric filter, and the metric behind it."""

    def __init__(self, aws: Aws, *, pattern: str = PATTERN, value: str = "1") -> None:
        self.aws = aws
        self.name = uuid.uuid4().hex
        aws.logs.create_log_group(logGroupName=self.name)
        aws.logs.create_log_stream(logGroupName=self.name, logStreamName="one")
        aws.logs.put_metric_filter(
            logGroupName=self.name,
            filterName="lost",
            filterPattern=pattern,
            metricTransformations=[
                {"metricName": "Lost", "metricNamespace": self.name, "metricValue": value}
            ],
        )

    def write(self, *lines: str) -> None:
        """Log lines, all at the same millisecond."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        self.aws.logs.put_log_events(
            logGroupName=self.name,
            logStreamName="one",
            logEvents=events,  # type: ignore[arg-type]  # built as the call takes them
        )

    def total(self, metric: str = "Lost", **dimensions: str) -> float:
        """Sum of a metric's data points."""
        now = datetime.now(UTC)
        points = self.aws.cloudwatch.get_metric_statistics(
            Namespace=self.name,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)


def test_matching_lines_become_data_points(embedded_aws: Aws) -> None:
    """Each line that matches the filter adds the filter's value to its metric."""
    logged = Logged(embedded_aws, value="2")
    logged.write(MATCHING, OTHER, "no JSON", MATCHING)
    assert 2 == MetricRelay(embedded_aws, logged.name).relay_new_lines()
    assert 4 == logged.total()


def test_each_line_counts_once(embedded_aws: Aws) -> None:
    """A line is relayed once, also when an equal one follows at the same millisecond."""
    logged = Logged(embedded_aws)
    relay = MetricRelay(embedded_aws, logged.name)
    logged.write(MATCHING, MATCHING)
    assert [2, 0] == [relay.relay_new_lines(), relay.relay_new_lines()]
    logged.write(MATCHING)
    assert [1, 0] == [relay.relay_new_lines(), relay.relay_new_lines()]
    assert 3 == logged.total()


def test_an_alarm_goes_off_and_notifies(embedded_aws: Aws) -> None:
    """A relayed line sets an alarm off, whose topic's subscriber is told."""
    logged = Logged(embedded_aws)
    topic_arn = embedded_aws.sns.create_topic(Name=logged.name)["TopicArn"]
    inbox = AlertsInbox(embedded_aws, topic_arn)
    embedded_aws.cloudwatch.put_metric_alarm(
        AlarmName=logged.name,
        Namespace=logged.name,
        MetricName="Lost",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic_arn],
    )
    relay = MetricRelay(embedded_aws, logged.name)
    logged.write(OTHER)
    relay.relay_new_lines()
    assert [] == inbox.all_alerts()
    logged.write(MATCHING)
    relay.relay_new_lines()
    (alert,) = inbox.all_alerts()
    assert (logged.name, "ALARM") == (alert.alarm, alert.state)
    assert alert == inbox.alarm_on(f"{logged.name}/Lost")


def test_a_pattern_that_is_not_understood_stops_the_relay(embedded_aws: Aws) -> None:
    """A filter outside the matcher's subset is an error, not a silent miss."""
    logged = Logged(embedded_aws, pattern="{ $.level = %CRIT% }")
    logged.write(MATCHING)
    with pytest.raises(UnknownPatternError):
        MetricRelay(embedded_aws, logged.name).relay_new_lines()


def test_a_value_out_of_the_line_is_refused(embedded_aws: Aws) -> None:
    """A filter whose value is taken from the line is an error that names the value."""
    logged = Logged(embedded_aws, value="$.count")
    logged.write(MATCHING)
    with pytest.raises(LocalCloudError, match=r"\$\.count"):
        MetricRelay(embedded_aws, logged.name).relay_new_lines()


def test_the_thread_hands_its_error_over(embedded_aws: Aws) -> None:
    """An error in the relay's thread is raised where its block ends."""
    relay = MetricRelay(embedded_aws, "no-such-log-group")
    with (
        pytest.raises(embedded_aws.logs.exceptions.ResourceNotFoundException),
        RelayThread(relay.relay_new_lines) as thread,
    ):
        thread.join(5)


def embedded(logged: Logged, values: dict[str, object], *dimensions: str) -> str:
    """A line in the embedded metric format: its metrics are what is no dimension."""
    metrics = [{"Name": name, "Unit": "Count"} for name in values if name not in dimensions]
    directive = {"Namespace": logged.name, "Dimensions": [[*dimensions]], "Metrics": metrics}
    envelope = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": envelope, **values})


def test_embedded_metrics_become_data_points(embedded_aws: Aws) -> None:
    """A line that holds metrics puts all of their values, by its dimensions, and once."""
    logged = Logged(embedded_aws)
    relay = MetricRelay(embedded_aws, logged.name)
    logged.write(embedded(logged, {"Sent": [1, 2, 3], "Received": 4}))
    logged.write(embedded(logged, {"step": "ai", "Failures": [5]}, "step"))
    assert [3, 0] == [relay.relay_new_lines(), relay.relay_new_lines()]
    assert (6, 4) == (logged.total("Sent"), logged.total("Received"))
    assert (5, 0) == (logged.total("Failures", step="ai"), logged.total("Failures", step="send"))


def test_an_alarm_on_an_embedded_metric_goes_off(embedded_aws: Aws) -> None:
    """What the function measures itself can wake a person, too."""
    logged = Logged(embedded_aws)
    embedded_aws.cloudwatch.put_metric_alarm(
        AlarmName=logged.name,
        Namespace=logged.name,
        MetricName="Lost",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    logged.write(embedded(logged, {"Lost": [2]}))
    MetricRelay(embedded_aws, logged.name).relay_new_lines()
    alarms = embedded_aws.cloudwatch.describe_alarms(AlarmNames=[logged.name])["MetricAlarms"]
    assert ["ALARM"] == [alarm["StateValue"] for alarm in alarms]


def test_a_promised_metric_that_is_missing_stops_the_relay(embedded_aws: Aws) -> None:
    """A line that lacks what it says it holds is an error that names it."""
    logged = Logged(embedded_aws)
    logged.write(embedded(logged, {"Sent": 1}).replace('"Sent": 1', '"Other": 1'))
    with pytest.raises(LocalCloudError, match="'Sent'"):
        MetricRelay(embedded_aws, logged.name).relay_new_lines()
