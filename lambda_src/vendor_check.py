"""The Lambda handler of a channel's vendor check: what vendors will no longer accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_src.bootstrap import build_vendor_check, once_per_container
from lambda_src.core import VendorCheckSettings

if TYPE_CHECKING:
    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core.scheduled_job import ScheduledJob


def lambda_handler(_event: object, context: LambdaContext) -> None:
    """Ask vendors how long models are served, and whether templates are approved.

    Args:
        context: Lambda's context; its remaining time limits all requests.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
        JobFailed: A vendor or AWS did not answer, or refused; the next run tries again.
    """
    vendor_check().run(context.get_remaining_time_in_millis())


@once_per_container
def vendor_check() -> ScheduledJob:
    """Build the check of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_vendor_check(VendorCheckSettings.from_environment())
