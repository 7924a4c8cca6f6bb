"""The gauge of a queue, on an embedded AWS with a queue of its own."""

import uuid

from local.aws import Aws
from local.queue_gauge import QueueGauge


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
