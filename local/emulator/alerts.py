"""Alarms on log lines, and the notifications that the alerts topic sends."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws import Aws
from local.emulator.feed import Changes
from local.emulator.filter_patterns import FilterPattern

QUEUE_NAME = "local-alerts-inbox"


@dataclass(frozen=True)
class LogLineAlarm:
    """An alarm that a log line sets off, with the metric filter between them.

    Attributes:
        metric_filter: name of the filter that the line matches.
        pattern: the filter's pattern.
        namespace: of the filter's metric.
        metric: the metric's name.
        alarm: name of the alarm over the metric.
        state: the alarm's current state.
    """

    metric_filter: str
    pattern: str
    namespace: str
    metric: str
    alarm: str
    state: str

    @property
    def full_metric(self) -> str:
        """Namespace and name of the metric, joined by a slash."""
        return f"{self.namespace}/{self.metric}"


def alarms_on_line(aws: Aws, log_group: str, line: str) -> list[LogLineAlarm]:
    """Return the alarms that a line of a log group sets off.

    Args:
        aws: where they are deployed.
        log_group: the line's log group.
        line: its text.
    """
    filters = aws.logs.describe_metric_filters(logGroupName=log_group)["metricFilters"]
    return [
        LogLineAlarm(
            metric_filter["filterName"],
            metric_filter["filterPattern"],
            transformation["metricNamespace"],
            transformation["metricName"],
            alarm["AlarmName"],
            alarm["StateValue"],
        )
        for metric_filter in filters
        if FilterPattern(metric_filter["filterPattern"]).matches(line)
        for transformation in metric_filter["metricTransformations"]
        for alarm in aws.cloudwatch.describe_alarms_for_metric(
            Namespace=transformation["metricNamespace"], MetricName=transformation["metricName"]
        )["MetricAlarms"]
    ]


@dataclass(frozen=True)
class Alert:
    """An alarm's notification.

    Attributes:
        subject: the e-mail's subject.
        alarm: the alarm's name.
        description: the alarm's text for the on-call engineer.
        state: the alarm's new state, such as ALARM.
        reason: CloudWatch's reason.
        metric: namespace and name of the metric, joined by a slash.
    """

    subject: str
    alarm: str
    description: str
    state: str
    reason: str
    metric: str

    @property
    def is_alarm(self) -> bool:
        """Whether the alarm went off; if not, it ended."""
        return self.state == "ALARM"

    @classmethod
    def from_notification(cls, notification: dict[str, Any]) -> "Alert":
        """Parse the notification of an SNS topic."""
        alarm = json.loads(notification["Message"])
        return cls(
            subject=notification["Subject"],
            alarm=alarm["AlarmName"],
            description=alarm["AlarmDescription"],
            state=alarm["NewStateValue"],
            reason=alarm["NewStateReason"],
            metric=f"{alarm['Trigger']['Namespace']}/{alarm['Trigger']['MetricName']}",
        )


class AlertSubscription:
    """A subscriber of the alerts topic: a queue of its own.

    Args:
        aws: where the topic is.
        topic_arn: the deployed topic.
    """

    def __init__(self, aws: Aws, topic_arn: str) -> None:
        self._sqs = aws.sqs
        self._received: list[Alert] = []
        self._queue_url = aws.sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{QUEUE_NAME}"
        aws.sqs.set_queue_attributes(
            QueueUrl=self._queue_url, Attributes={"Policy": _allow_topic(topic_arn, queue_arn)}
        )
        aws.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    def all_alerts(self, changes: Changes | None = None) -> list[Alert]:
        """Return the notifications since the subscription, oldest first.

        Args:
            changes: with these, nothing is requested if the queue is empty.
        """
        if changes and not changes.queue_depth(self._queue_url):
            return list(self._received)
        received = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            self._sqs.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
            self._received.append(Alert.from_notification(json.loads(message["Body"])))
        return list(self._received)

    def alarm_on(self, metric: str) -> Alert | None:
        """Return the first notification so far that an alarm on a metric went off."""
        return self._first(lambda alert: alert.metric == metric)

    def alarm_named(self, subject: str) -> Alert | None:
        """Return the first notification so far that an alarm with this in its name went off."""
        return self._first(lambda alert: subject in alert.alarm)

    def _first(self, condition: Callable[[Alert], bool]) -> Alert | None:
        alerts = self.all_alerts()
        return next((each for each in alerts if each.is_alarm and condition(each)), None)


def _allow_topic(topic_arn: str, queue_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
