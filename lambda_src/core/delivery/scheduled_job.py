"""The scheduled job: everything that is looked after every quarter of an hour."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lambda_src.core import time_budget
from lambda_src.core.contract import Step
from lambda_src.core.errors import ProcessingError, unexpected_error
from lambda_src.core.ports import Clock

log = logging.getLogger(__name__)


class JobPart(Protocol):
    """One part of the job."""

    def run(self, deadline: float) -> None:
        """Do what is due, until a time in epoch seconds; what remains stays due.

        Raises:
            ProcessingError: Not all of it could be done, although there was time.
        """


class JobFailed(Exception):
    """A part of the job failed; the text is a failure code.

    Lambda counts it as an error. What was not done remains due, so the next run does it.
    """


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """Runs its parts one after the other, also after one of them failed.

    Attributes:
        parts: The parts in their order; the last one may need most of the time.
        clock: Returns the time in epoch seconds.
    """

    parts: Sequence[JobPart]
    clock: Clock

    def run(self, remaining_ms: int) -> None:
        """Run each part, which publishes its own metrics.

        Args:
            remaining_ms: Milliseconds until Lambda ends the function.

        Raises:
            JobFailed: The table or a queue did not answer, or refused a request.
        """
        deadline = self.clock() + remaining_ms / 1000 - time_budget.SHUTDOWN_RESERVE_SECONDS
        errors = [error for part in self.parts if (error := _run(part, deadline))]
        if errors:
            raise JobFailed(errors[0].code)


def _run(part: JobPart, deadline: float) -> ProcessingError | None:
    try:
        part.run(deadline)
    except Exception as raised:  # noqa: BLE001 - its text might contain an address
        error = unexpected_error(raised, Step.DELIVERY)
        log.error(  # noqa: TRY400 - never an exception's text
            "a part of the scheduled job failed: %s",
            error,
            extra={
                "event": str(error.event),
                "part": type(part).__name__,
                "failure_code": error.code,
                **error.fields,
            },
        )
        return error
    return None
