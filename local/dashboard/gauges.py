"""What SQS tells CloudWatch of its queues each minute, told here whenever it is asked for."""

import json
import time
from typing import TYPE_CHECKING

from local.aws import Aws
from local.channel import Channel
from local.journey import ENDS
from local.resources import Resources

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

COUNTS: dict[str, "QueueAttributeNameType"] = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
"""The queue's attributes that the embedded AWS knows, by the names of the metrics."""


class QueueGauges:
    """Measures a channel's queues, and remembers which of its messages are still on them.

    Args:
        aws: where the queues are, and where the measures go.
        resources: their names.
        channel: the channel, whose log tells when a message has left the queue.
    """

    def __init__(self, aws: Aws, resources: Resources, channel: Channel) -> None:
        self._aws = aws
        self._resources = resources
        self._channel = channel
        self._sent_at: dict[str, float] = {}
        self._lines = 0
        self._most_deliveries = self._max_receive_count()

    def send(self, body: str) -> None:
        """Put a context object on the queue."""
        self._sent_at[self._channel.send(body)] = time.time()

    @property
    def waiting(self) -> int:
        """How many of the messages sent are still on the queue, as far as the log tells."""
        self._read_log()
        return len(self._sent_at)

    def measure(self) -> None:
        """Put one data point of each measure."""
        queue, dead_letters = self._resources.queue_url, self._resources.dead_letter_queue_url
        self._read_log()
        age = time.time() - min(self._sent_at.values(), default=time.time())
        oldest = _datum(queue, "ApproximateAgeOfOldestMessage", age)
        self._aws.cloudwatch.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[oldest, *self._counts(queue), *self._counts(dead_letters)],
        )

    def _counts(self, queue_url: str) -> list["MetricDatumTypeDef"]:
        attributes = self._aws.sqs.get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=list(COUNTS.values())
        )["Attributes"]
        return [_datum(queue_url, metric, int(attributes[name])) for metric, name in COUNTS.items()]

    def _read_log(self) -> None:
        lines = self._channel.log()
        new, self._lines = lines[self._lines :], len(lines)
        for fields in (line.fields for line in new):
            is_last = fields.get("receive_count", 0) >= self._most_deliveries
            if is_last or fields.get("event") in ENDS:
                self._sent_at.pop(fields["sqs_message_id"], None)

    def _max_receive_count(self) -> int:
        policy = self._aws.sqs.get_queue_attributes(
            QueueUrl=self._resources.queue_url, AttributeNames=["RedrivePolicy"]
        )["Attributes"]["RedrivePolicy"]
        return int(json.loads(policy)["maxReceiveCount"])


def _datum(queue_url: str, metric: str, value: float) -> "MetricDatumTypeDef":
    name = queue_url.rpartition("/")[2]
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": "QueueName", "Value": name}],
        "Value": value,
    }
