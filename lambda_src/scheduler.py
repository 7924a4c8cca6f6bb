"""The Lambda handler of a channel's scheduled job."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lambda_src.bootstrap import build_scheduler
from lambda_src.core.settings import SchedulerSettings
from lambda_src.utils.process import is_in_lambda

if TYPE_CHECKING:
    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core.delivery.scheduled_job import ScheduledJob


def lambda_handler(_event: object, context: LambdaContext) -> None:
    """Look after drafts and overdue delivery statuses; the event's content is ignored.

    Args:
        context: Lambda's context; its remaining time limits all work.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
        JobFailed: AWS did not answer, or refused a request; the next run tries again.
    """
    scheduler().run(context.get_remaining_time_in_millis())


@cache
def scheduler() -> ScheduledJob:
    """Build the job of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_scheduler(SchedulerSettings.from_environment())


if is_in_lambda():
    # In Lambda the job is built at start: a misconfigured function fails at once.
    scheduler()
