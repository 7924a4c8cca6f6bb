"""The gauge of a queue, on an embedded AWS with a queue of its own."""

import time
import uuid
from datetime import UTC, datetime, timedelta

from local.aws import Aws
from local.queue_gauge import AGE_SECONDS, AgeGauge, QueueGauge


def _told(aws: Aws, name: str) -> list[str]:
    """The metrics that CloudWatch has of a queue."""
    metrics = aws.cloudwatch.list_metrics(
        Namespace="AWS/SQS", Dimensions=[{"Name": "QueueName", "Value": name}]
    )["Metrics"]
    return [metric["MetricName"] for metric in metrics]


def test_a_queues_messages_become_a_metric(embedded_aws: Aws) -> None:
    """The number of messages is told once it is not 0, also while one is being looked at."""
    name = uuid.uuid4().hex
    url = embedded_aws.sqs.create_queue(QueueName=name)["QueueUrl"]
    gauge = QueueGauge(embedded_aws, url)
    gauge.relay()
    assert [] == _told(embedded_aws, name)

    embedded_aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    embedded_aws.sqs.receive_message(QueueUrl=url)
    gauge.relay()
    assert ["ApproximateNumberOfMessagesVisible"] == _told(embedded_aws, name)


def test_a_queues_oldest_message_tells_its_age(embedded_aws: Aws) -> None:
    """Also of a message in somebody's hands, once in a while, and 0 when the queue is empty."""
    now = [time.time()]
    name = uuid.uuid4().hex
    url = embedded_aws.sqs.create_queue(QueueName=name)["QueueUrl"]
    gauge = AgeGauge(embedded_aws, url, clock=lambda: now[0])
    gauge.relay()
    assert [0] == _ages(embedded_aws, name)

    embedded_aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    embedded_aws.sqs.receive_message(QueueUrl=url)
    now[0] += AGE_SECONDS / 2
    gauge.relay()
    assert [0] == _ages(embedded_aws, name)

    now[0] += 600
    gauge.relay()
    (oldest,) = _ages(embedded_aws, name)
    assert 500 < oldest <= 600 + AGE_SECONDS / 2


def _ages(aws: Aws, name: str) -> list[float]:
    """The highest age that CloudWatch has of a queue, by minute."""
    now = datetime.now(UTC)
    points = aws.cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Maximum"],
    )["Datapoints"]
    return [point["Maximum"] for point in points]
