"""The relay from log lines to metrics, on an embedded AWS with a log group of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local import metric_relay
from local.alerts import AlertsInbox
from local.aws import Aws
from local.errors import LocalCloudError
from local.filter_pattern import UnknownPatternError
from local.metric_relay import MetricRelay, RelayThread
from tests.local.logged import MATCHING, OTHER, Logged, embedded


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


@contextmanager
def puts(aws: Aws) -> Iterator[list[int]]:
    """How many data each call puts, while the context lasts."""
    calls: list[int] = []
    event = "provide-client-params.cloudwatch.PutMetricData"

    def note(params: dict[str, list[object]], **_: object) -> None:
        calls.append(len(params["MetricData"]))

    aws.cloudwatch.meta.events.register(event, note)
    yield calls
    aws.cloudwatch.meta.events.unregister(event, note)


def test_what_came_together_is_put_together(
    embedded_aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines came since the last look, a namespace takes as few calls as it can."""
    monkeypatch.setattr(metric_relay, "LARGEST_PUT", 3)
    logged = Logged(embedded_aws)
    logged.write(*[MATCHING] * 4, embedded(logged, {"Sent": [1, 2], "Received": 4}))

    with puts(embedded_aws) as calls:
        assert 6 == MetricRelay(embedded_aws, logged.name).relay_new_lines()

    assert [3, 3] == calls
    assert (4, 3) == (logged.total(), logged.total("Sent"))
