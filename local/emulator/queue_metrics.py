"""Metrics of queues, which SQS publishes and the embedded AWS does not: depth and age."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.aws import Aws
from local.emulator.feed import Feed, fetch

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

PUBLISH_SECONDS = 30
"""Between two values of a metric that does not change; AWS publishes one a minute."""
MESSAGES_PATH = "/_ministack/sqs/messages"


@dataclass(frozen=True)
class QueuedMessage:
    """A message in a queue, visible or in flight.

    Attributes:
        message_id: its id in the queue.
        body: its text.
        sent_at: when it was first sent to a queue, in epoch seconds.
    """

    message_id: str
    body: str
    sent_at: float


def queued_messages(aws: Aws, queue_url: str) -> list[QueuedMessage]:
    """Return all messages of a queue, the oldest first, without receiving them.

    The embedded AWS has an endpoint of its own for this; AWS has none.
    """
    found = fetch(aws, MESSAGES_PATH, account=aws.account, QueueUrl=queue_url)
    messages = [
        QueuedMessage(
            each["MessageId"], each["Body"], int(each["Attributes"]["SentTimestamp"]) / 1000
        )
        for by_region in found["messages"].values()
        for by_queue in by_region.values()
        for each in by_queue[queue_url]
    ]
    return sorted(messages, key=lambda message: message.sent_at)


class QueueDepthMetric:
    """Publishes the number of a queue's messages, from the first message on.

    It includes messages that are being read: on AWS that is shorter than the metric's minute.

    Args:
        aws: where the queue is.
        queue_url: its URL.
        feed: what has changed in this AWS.
        clock: epoch seconds.
    """

    def __init__(
        self, aws: Aws, queue_url: str, feed: Feed, clock: Callable[[], float] = time.time
    ) -> None:
        self._aws = aws
        self._queue_url = queue_url
        self._feed = feed
        self._clock = clock
        self._published = 0
        self._next = math.inf

    def update(self) -> None:
        """Publish the number if it has changed, or was published `PUBLISH_SECONDS` ago."""
        count, now = self._feed.changes().queue_depth(self._queue_url), self._clock()
        if count != self._published or now >= self._next:
            _publish(self._aws, self._queue_url, "ApproximateNumberOfMessagesVisible", count)
            self._published, self._next = count, now + PUBLISH_SECONDS


class QueueAgeMetric:
    """Publishes the age of a queue's oldest message, 0 while the queue is empty.

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

    def update(self) -> None:
        """Publish the age unless it was published within the last `PUBLISH_SECONDS`.

        A measurement reads the bodies of all messages.
        """
        now = self._clock()
        if now < self._next:
            return
        self._next = now + PUBLISH_SECONDS
        messages = queued_messages(self._aws, self._queue_url)
        age = max(0.0, now - messages[0].sent_at) if messages else 0.0
        _publish(self._aws, self._queue_url, "ApproximateAgeOfOldestMessage", age)


def queue_metric(aws: Aws, queue_url: str, feed: Feed) -> QueueDepthMetric | QueueAgeMetric:
    """Return the metric that matters: a queue's age, or the depth of a dead-letter queue.

    A queue that has a dead-letter queue is not one itself.
    """
    found = aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    is_source = "RedrivePolicy" in found.get("Attributes", {})
    return QueueAgeMetric(aws, queue_url) if is_source else QueueDepthMetric(aws, queue_url, feed)


def _publish(aws: Aws, queue_url: str, metric: str, value: float) -> None:
    dimensions: list[DimensionTypeDef] = [
        {"Name": "QueueName", "Value": queue_url.rpartition("/")[2]}
    ]
    datum: MetricDatumTypeDef = {"MetricName": metric, "Dimensions": dimensions, "Value": value}
    aws.cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=[datum])
