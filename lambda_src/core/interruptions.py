"""Why work on a message ended for a reason that does not lie in the message; each is told here."""

import logging

from lambda_src.core import log_context
from lambda_src.core.contract import LogEvent
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError, Step, TransientFailure
from lambda_src.core.telling import tell

log = logging.getLogger(__name__)


def out_of_time(delivery: Delivery) -> ProcessingError:
    """The failure of a message that was not begun: it comes back at once."""
    late = TransientFailure(LogEvent.OUT_OF_TIME, Step.PARSE, again_in=0)
    with log_context.bound(sqs_message_id=delivery.message_id):
        tell(late, delivery)
    return late


def cut_off(delivery: Delivery) -> ProcessingError:
    """The failure of a message whose work goes on when the function must return.

    The ledger fences that work off, whenever it comes to its end.
    """
    with log_context.bound(sqs_message_id=delivery.message_id):
        log.error("at work when the function's time was up", extra={"event": LogEvent.CUT_OFF})
    return TransientFailure(LogEvent.CUT_OFF, Step.PARSE)
