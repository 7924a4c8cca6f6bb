"""Logging: one JSON object a line, with the ids of the message at hand at the top level."""

import json
import logging
import sys
from functools import partial

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from lambda_src.core import log_context

PACKAGE = "lambda_src"
# In ASCII: an id may hold what turns the direction of a text, or ends a line for some readers.
_to_json = partial(json.dumps, default=str, separators=(",", ":"))

QUIET = ("botocore", "boto3", "httpx2", "httpcore2", "openai", "twilio", "urllib3")
"""Libraries whose own lines may quote addresses, numbers or bodies."""


def configure(level: str, service: str, version: str) -> None:
    """Send the package's log to standard output, once.

    Args:
        level: The least level to log, e.g. `INFO`.
        service: The channel's processor, in every line.
        version: The processor's version, in every line.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        LambdaPowertoolsFormatter(
            json_serializer=_to_json,
            use_rfc3339=True,
            utc=True,
            service=service,
            processor_version=version,
        )
    )
    handler.addFilter(_add_ids)
    logger = logging.getLogger(PACKAGE)
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False  # Lambda's own root handler would print every line a second time
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _add_ids(record: logging.LogRecord) -> bool:
    for name, value in log_context.current().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True
