"""The Lambda handler: the flow that all channels share, with this channel's parts."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from lambda_src.processors import Settings, build_handler, handle_event

from push_processor.parts import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.processors import BatchHandler


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Process a batch of context objects; return those that must not be deleted."""
    return handle_event(batch_handler(), event, context)


@cache
def batch_handler() -> BatchHandler:
    """Build the handler, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_handler(Settings.from_environment(), PARTS)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # In Lambda the handler is built at start: a misconfigured function never receives a batch.
    batch_handler()
