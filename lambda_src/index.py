"""The Lambda handler of this app's channels: SQS batch in, batch item failures out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lambda_src.bootstrap import build_handler
from lambda_src.channels import build_configured
from lambda_src.utils.process import is_in_lambda

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core.batch import BatchHandler


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process one batch of context objects.

    Args:
        event: An SQS event.
        context: Lambda's context; its remaining time limits all work.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the messages that must not be
        deleted.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return batch_handler().handle_event(event, context.get_remaining_time_in_millis())


@cache
def batch_handler() -> BatchHandler:
    """Build the handler of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_configured(build_handler)


if is_in_lambda():
    # In Lambda the handler is built at start: a misconfigured function never receives a batch.
    batch_handler()
