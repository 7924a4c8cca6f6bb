"""The Lambda handler: the flow that all channels share, put together with this channel's parts."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from lambda_src.processors import Settings, answer, put_together

from push_processor.parts import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from lambda_src.processors import BatchHandler


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on one batch of context objects; returns those that must not be deleted."""
    return answer(batch_handler(), event, context)


@cache
def batch_handler() -> BatchHandler:
    """Put the parts together, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return put_together(Settings.from_environment(), PARTS)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # In Lambda everything is put together at start: a misconfigured function never takes a batch.
    batch_handler()
