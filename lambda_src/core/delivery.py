"""One delivery of one queue message, as the flow sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message out of the queue, this time.

    Attributes:
        message_id: SQS's id of the message, the same at every delivery.
        receipt_handle: SQS's handle of this delivery.
        body: The context object's JSON text.
        receive_count: How often the message was received, this time included.
        owner: Unique to this delivery; made here, in the handler, since state made at init would
            be shared by every copy that SnapStart restores.
        time_left: Seconds until Lambda ends the function.
        sent_at: When it was put on the queue, in epoch seconds.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    owner: str
    time_left: Callable[[], float]
    sent_at: float = 0.0

    @classmethod
    def from_record(cls, record: Mapping[str, Any], time_left: Callable[[], float]) -> "Delivery":
        """Make a delivery of one record of an SQS event."""
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            owner=uuid4().hex,
            time_left=time_left,
            sent_at=int(record["attributes"].get("SentTimestamp", 0)) / 1000,
        )
