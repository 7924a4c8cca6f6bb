"""Telling a failure: its one line in the log."""

import logging

from lambda_src.core.contract import LogEvent
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError

log = logging.getLogger(__name__)


def tell(error: ProcessingError, delivery: Delivery) -> None:
    """Write a failure's line, unless it was written before.

    Whoever is about to record that a conversation ends tells it first. A function killed between
    the two leaves a record that the next delivery ends again, with its line; the other way round
    it would leave an end of which no person ever hears.
    """
    if error.is_told:
        return
    error.is_told = True
    log.log(
        error.log_level,
        "%s: %s",
        error.headline,
        error,
        extra={
            "event": str(error.event),
            "failure_code": error.code,
            "failure_step": str(error.step),
            "receive_count": delivery.receive_count,
            **error.fields,
        },
    )


def tell_unwritten(error: Exception) -> None:
    """Say that a record does not say what became of its message."""
    code = error.code if isinstance(error, ProcessingError) else type(error).__name__
    log.error(
        "the failure could not be recorded",
        extra={"event": LogEvent.STATUS_WRITE_FAILED, "failure_code": code},
    )
