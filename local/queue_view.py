"""A look into a queue that none of its receivers notices: the embedded AWS's own, AWS has none."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from local.aws import Aws

PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Held:
    """A message that a queue holds, in somebody's hands or not.

    Attributes:
        message_id: the queue's id of it.
        body: its text.
        sent_at: when it was first put on a queue, in epoch seconds.
    """

    message_id: str
    body: str
    sent_at: float


def held_by(aws: Aws, queue_url: str) -> list[Held]:
    """Every message that a queue holds, the oldest first."""
    return sorted(_held(aws, queue_url), key=lambda held: held.sent_at)


def _held(aws: Aws, queue_url: str) -> Iterator[Held]:
    wanted = urllib.parse.urlencode({"account": aws.account, "QueueUrl": queue_url})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"{aws.endpoint}/_ministack/sqs/messages?{wanted}"
    with direct.open(address, timeout=PATIENCE_SECONDS) as answer:
        by_account = json.load(answer)["messages"]
    for by_region in by_account.values():
        for by_queue in by_region.values():
            for message in by_queue[queue_url]:
                sent_at = int(message["Attributes"]["SentTimestamp"]) / 1000
                yield Held(message["MessageId"], message["Body"], sent_at)
