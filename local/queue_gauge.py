"""Another missing link of the embedded AWS: how many messages a queue holds, and since when."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from local.aws import Aws
from local.queue_view import held_by

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

COUNTED: tuple["QueueAttributeNameType", ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)
"""Those that are being looked at, too: on AWS a look is shorter than the metric's minute."""

AGE_SECONDS = 30
"""Between two ages that are told; AWS tells one a minute. A look costs what all bodies weigh."""


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
        _tell(self._aws, self._queue_url, "ApproximateNumberOfMessagesVisible", count)
        self._told = count

    def _count(self) -> int:
        attributes = self._aws.sqs.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=COUNTED
        )["Attributes"]
        return sum(int(attributes[name]) for name in COUNTED)


class AgeGauge:
    """Tells CloudWatch the age of a queue's oldest message, 0 while the queue is empty.

    Args:
        aws: where the queue is.
        queue_url: its URL.
        clock: epoch seconds.
    """

    def __init__(self, aws: Aws, queue_url: str, clock: Callable[[], float] = time.time) -> None:
        self._aws = aws
        self._queue_url = queue_url
        self._clock = clock
        self._next = 0.0

    def relay(self) -> None:
        """Put a data point, unless the last one is of this moment still."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + AGE_SECONDS
        held = held_by(self._aws, self._queue_url)
        age = max(0.0, now - held[0].sent_at) if held else 0.0
        _tell(self._aws, self._queue_url, "ApproximateAgeOfOldestMessage", age)


def _tell(aws: Aws, queue_url: str, metric: str, value: float) -> None:
    dimensions: list[DimensionTypeDef] = [
        {"Name": "QueueName", "Value": queue_url.rpartition("/")[2]}
    ]
    datum: MetricDatumTypeDef = {"MetricName": metric, "Dimensions": dimensions, "Value": value}
    aws.cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=[datum])
