"""The Lambda handler of a channel's scheduled job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_src.bootstrap import build_scheduler, once_per_container
from lambda_src.core import SchedulerSettings

if TYPE_CHECKING:
    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core.scheduled_job import ScheduledJob


def lambda_handler(_event: object, context: LambdaContext) -> None:
    """Look after drafts and overdue delivery statuses; the event's content is ignored.

    Args:
        context: Lambda's context; its remaining time limits all work.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
        JobFailed: AWS did not answer, or refused a request; the next run tries again.
    """
    scheduler().run(context.get_remaining_time_in_millis())


@once_per_container
def scheduler() -> ScheduledJob:
    """Build the job of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_scheduler(SchedulerSettings.from_environment())
