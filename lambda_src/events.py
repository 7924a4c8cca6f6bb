"""The Lambda handler of the channels' delivery events: SQS batch in, batch item failures out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lambda_src.bootstrap import build_events_handler
from lambda_src.channels import build_configured
from lambda_src.utils.process import is_in_lambda

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.bootstrap import LambdaContext
    from lambda_src.core.delivery.events import EventBatchHandler


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


@cache
def events_handler() -> EventBatchHandler:
    """Build the handler of the channel that CHANNEL names, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return build_configured(build_events_handler, needs_secrets=False)


if is_in_lambda():
    # In Lambda the handler is built at start: a misconfigured function never receives a batch.
    events_handler()
