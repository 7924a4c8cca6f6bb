"""How many deliveries of a message are left."""

import logging
from dataclasses import dataclass

from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError
from lambda_src.core.ports import Queue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receives:
    """Knows the last delivery that a queue makes; a queue that does not tell makes no last one."""

    queue: Queue

    def is_last(self, delivery: Delivery) -> bool:
        """Whether the next receive makes the message a dead letter.

        A first delivery never is: queues give more than one, and it is spared the question.
        """
        if delivery.receive_count == 1:
            return False
        try:
            return delivery.receive_count >= self.queue.max_receive_count()
        except ProcessingError as error:
            log.warning("the queue does not tell its maxReceiveCount", extra={"event": error.event})
            return False
