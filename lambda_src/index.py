"""The Lambda handler: batch in, failures out, for the channel that CHANNEL names."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from lambda_src.channels import parts_of
from lambda_src.composition import answer, put_together
from lambda_src.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lambda_src.core.batch import BatchHandler


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on one batch of context objects.

    Args:
        event: An SQS event.
        context: Lambda's context; its remaining time is what no work exceeds.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the messages that must not be
        deleted.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    return answer(batch_handler(), event, context)


@cache
def batch_handler() -> BatchHandler:
    """Put the real parts together, once per container, for the channel that CHANNEL names.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    settings = Settings.from_environment()
    return put_together(settings, parts_of(settings.channel))


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # In Lambda everything is put together at start: a misconfigured function never takes a batch.
    batch_handler()
