"""The Lambda handler of this app's channels: SQS batch in, batch item failures out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_src.bootstrap import build_configured, build_handler, once_per_container

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


@once_per_container
def batch_handler() -> BatchHandler:
    """Build the handler of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_configured(build_handler)
