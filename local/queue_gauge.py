"""Another missing link of the embedded AWS: how many messages a queue holds, as a metric."""

from typing import TYPE_CHECKING

from local.aws import Aws

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

COUNTED: tuple["QueueAttributeNameType", ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)
"""Those that are being looked at, too: on AWS a look is shorter than the metric's minute."""


class QueueGauge:
    """Tells CloudWatch the number of a queue's messages, whenever that has changed.

    Args:
        aws: where the queue is.
        queue_url: its URL.
    """

    def __init__(self, aws: Aws, queue_url: str) -> None:
        self._aws = aws
        self._queue_url = queue_url
        self._told = 0

    def relay(self) -> None:
        """Put a data point, unless the number is the one told before; at first that is 0."""
        count = self._count()
        if count == self._told:
            return
        self._aws.cloudwatch.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateNumberOfMessagesVisible",
                    "Dimensions": [
                        {"Name": "QueueName", "Value": self._queue_url.rpartition("/")[2]}
                    ],
                    "Value": count,
                }
            ],
        )
        self._told = count

    def _count(self) -> int:
        attributes = self._aws.sqs.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=COUNTED
        )["Attributes"]
        return sum(int(attributes[name]) for name in COUNTED)
