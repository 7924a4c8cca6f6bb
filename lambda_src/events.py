"""The Lambda handler of the channels' delivery events: SQS batch in, batch item failures out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_src.bootstrap import build_configured, build_events_handler, once_per_container

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.bootstrap import EventHandler, LambdaContext


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record one batch of delivery events.

    Args:
        event: An SQS event.
        context: Lambda's context; its remaining time limits all work.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the events that must not be
        deleted.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return events_handler().handle_event(event, context.get_remaining_time_in_millis())


@once_per_container
def events_handler() -> EventHandler:
    """Build the handler of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_configured(build_events_handler, needs_secrets=False)
