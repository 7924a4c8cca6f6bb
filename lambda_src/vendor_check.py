"""The Lambda handler of a channel's vendor check: what vendors will no longer accept."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lambda_src.bootstrap import build_vendor_check
from lambda_src.channels import parts_of
from lambda_src.core.settings import ConfigurationError, VendorCheckSettings
from lambda_src.utils.process import is_in_lambda

if TYPE_CHECKING:
    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core import ChannelParts
    from lambda_src.core.delivery.scheduled_job import ScheduledJob


def lambda_handler(_event: object, context: LambdaContext) -> None:
    """Ask vendors how long models are served, and whether templates are approved.

    Args:
        context: Lambda's context; its remaining time limits all requests.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
        JobFailed: A vendor or AWS did not answer, or refused; the next run tries again.
    """
    vendor_check().run(context.get_remaining_time_in_millis())


@cache
def vendor_check() -> ScheduledJob:
    """Build the check of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    settings = VendorCheckSettings.from_environment()
    return build_vendor_check(settings, _parts(settings.channel))


def _parts(channel: str) -> ChannelParts | None:
    """Return the parts of a channel of this repository; None for another repository's."""
    try:
        return parts_of(channel)
    except ConfigurationError:
        return None


if is_in_lambda():
    # In Lambda the check is built at start: a misconfigured function fails at once.
    vendor_check()
