"""What the alerts topic sends, received as a subscriber does."""

import json
from dataclasses import dataclass

from local.aws import Aws

INBOX = "local-alerts-inbox"


@dataclass(frozen=True)
class Alert:
    """One notification of an alarm.

    Attributes:
        subject: as an e-mail would have it.
        alarm: the alarm's name.
        description: what the alarm tells the person.
        state: the state that it went to, such as ALARM.
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
    def wakes(self) -> bool:
        """Whether it tells of trouble, and not of its end."""
        return self.state == "ALARM"


class AlertsInbox:
    """A queue of its own, subscribed to the topic.

    Args:
        aws: where the topic is.
        topic_arn: the deployed topic.
    """

    def __init__(self, aws: Aws, topic_arn: str) -> None:
        self._sqs = aws.sqs
        self._received: list[Alert] = []
        self._queue_url = aws.sqs.create_queue(QueueName=INBOX)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{INBOX}"
        aws.sqs.set_queue_attributes(
            QueueUrl=self._queue_url, Attributes={"Policy": _let_publish(topic_arn, queue_arn)}
        )
        aws.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

    def all_alerts(self) -> list[Alert]:
        """What has come since the subscription, oldest first."""
        self._received += self._receive()
        return list(self._received)

    def alarm_on(self, metric: str) -> Alert | None:
        """The first notification so far that an alarm on a metric went off."""
        wakers = (alert for alert in self.all_alerts() if alert.wakes and alert.metric == metric)
        return next(wakers, None)

    def _receive(self) -> list[Alert]:
        received = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        messages = received.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        return [_alert(json.loads(message["Body"])) for message in messages]


def _alert(notification: dict[str, str]) -> Alert:
    alarm = json.loads(notification["Message"])
    return Alert(
        subject=notification["Subject"],
        alarm=alarm["AlarmName"],
        description=alarm["AlarmDescription"],
        state=alarm["NewStateValue"],
        reason=alarm["NewStateReason"],
        metric=f"{alarm['Trigger']['Namespace']}/{alarm['Trigger']['MetricName']}",
    )


def _let_publish(topic_arn: str, queue_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
