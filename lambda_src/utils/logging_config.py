"""Logging: one JSON object a line, with the ids of the current message at the top level."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

from lambda_src.core.log import LOG_FIELDS

PACKAGE = "lambda_src"

QUIET = ("botocore", "boto3", "httpx2", "httpcore2", "openai", "twilio", "urllib3")
"""Libraries whose own log lines may contain addresses, numbers or bodies."""

_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({})))


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object.

    A record's `extra` fields have precedence over the message's ids. An exception's text is never
    written, since it may contain what a message or a secret contains.

    Args:
        service: The channel's processor.
        version: The processor's version.
    """

    def __init__(self, service: str, version: str) -> None:
        super().__init__()
        self._service = service
        self._version = version

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, in ASCII: an id may contain Unicode line or direction marks."""
        time = datetime.fromtimestamp(record.created, UTC)
        line = {
            "level": record.levelname,
            "location": f"{record.funcName}:{record.lineno}",
            "message": record.getMessage(),
            "timestamp": time.isoformat(timespec="milliseconds"),
            "service": self._service,
            "processor_version": self._version,
            **LOG_FIELDS.get({}),
            **{n: value for n, value in vars(record).items() if n not in _STANDARD_ATTRIBUTES},
        }
        trace = os.environ.get("_X_AMZN_TRACE_ID")
        if trace:
            line["xray_trace_id"] = trace.split(";")[0].removeprefix("Root=")
        return json.dumps(line, default=str, separators=(",", ":"))


def configure(level: str, service: str, version: str) -> None:
    """Write the package's log to standard output, once.

    Args:
        level: The lowest level to log, e.g. `INFO`.
        service: The channel's processor, in every line.
        version: The processor's version, in every line.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service, version))
    logger = logging.getLogger(PACKAGE)
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False  # Lambda's root handler would write each line again
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
