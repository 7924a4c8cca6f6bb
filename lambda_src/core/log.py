"""Log lines of the flow: the fields that all lines of a message share, and one line per failure."""

import logging
from collections.abc import Collection, Sequence
from contextvars import ContextVar

from lambda_src.core.contract import LogEvent, Step
from lambda_src.core.errors import ProcessingError, TransientFailure
from lambda_src.core.models import Delivery

LOG_FIELDS: ContextVar[dict[str, str]] = ContextVar("log_fields")
"""The ids that every log line of the current message has; the log formatter adds them."""

log = logging.getLogger(__name__)


def log_failure(error: ProcessingError, delivery: Delivery, summary: str = "") -> None:
    """Write a failure's log line, once.

    It is written before the failure is recorded: a function that ends between the two leaves a
    record that the next delivery handles again, instead of a failure without a log line.

    Args:
        error: The failure.
        delivery: The delivery that failed.
        summary: What the line begins with, if not the class's own summary.
    """
    if error.logged:
        return
    error.logged = True
    log.log(
        error.log_level,
        "%s: %s",
        summary or error.summary,
        error,
        extra={
            "event": str(error.event),
            "failure_code": error.code,
            "failure_step": str(error.step),
            "receive_count": delivery.receive_count,
            **error.fields,
        },
    )


def log_unrecorded_failure(error: Exception) -> None:
    """Log that a failure could not be written to the record, because of this error."""
    code = error.code if isinstance(error, ProcessingError) else type(error).__name__
    log.error(
        "the failure could not be recorded",
        extra={"event": LogEvent.STATUS_WRITE_FAILED, "failure_code": code},
    )


def log_visibility_unchanged(messages: int) -> None:
    """Log that no time was left to change the visibility of that many failed messages."""
    log.warning(
        "no time was left to change the visibility of failed messages",
        extra={"event": LogEvent.VISIBILITY_CHANGE_FAILED, "messages": messages},
    )


def insufficient_time(delivery: Delivery) -> ProcessingError:
    """Log and return the failure of a message that was not started: it is visible at once."""
    late = TransientFailure(
        LogEvent.OUT_OF_TIME,
        Step.PARSE,
        retry_in=0,
        fields={"sqs_message_id": delivery.message_id},
    )
    log_failure(late, delivery)
    return late


def deadline_exceeded(delivery: Delivery) -> ProcessingError:
    """Log and return the failure of a message in progress when the function must return.

    Its thread may continue; the ledger's conditions then stop it.
    """
    log.error(
        "in progress when the function's time was over",
        extra={"event": LogEvent.CUT_OFF, "sqs_message_id": delivery.message_id},
    )
    return TransientFailure(LogEvent.CUT_OFF, Step.PARSE)


def log_unfinished(
    deliveries: Sequence[Delivery], started: Collection[str], finished: Collection[str]
) -> dict[str, ProcessingError]:
    """Log and return the failures of a batch's messages that are not finished, by message id."""
    return {
        delivery.message_id: (
            deadline_exceeded if delivery.message_id in started else insufficient_time
        )(delivery)
        for delivery in deliveries
        if delivery.message_id not in finished
    }
