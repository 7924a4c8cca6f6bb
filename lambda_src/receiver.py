"""The Lambda handler behind the callbacks' HTTP API: a request in, its copy on the events queue.

It verifies nothing: the events worker has the credentials. Its package contains this module only,
so it imports the standard library and botocore, and repeats the shared names that it needs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLBACK_REJECTED = "callback_rejected"
"""`LogEvent.CALLBACK_REJECTED`."""
CALLBACKS_PATH = "/callbacks/"
SIGNATURE_HEADER = "x-twilio-signature"
MAX_BODY_BYTES = 65_536
MAX_EVENT_BYTES = 262_144
"""SQS's smallest limit: control characters take six bytes each in JSON."""

AWS_CLIENT = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    parameter_validation=False,
    user_agent="ai-multi-comms",
)
"""Twilio waits 15 seconds for an answer."""

log = logging.getLogger("lambda_src.receiver")


class ReceiverConfigurationError(Exception):
    """An environment variable is missing or invalid; names each of them."""


class QueueUnavailable(Exception):
    """The events queue did not take a callback: the vendor repeats it after the 5xx."""


class CallbackRejected(Exception):
    """A request that is not a callback; `reason` is one of a closed set."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Receiver:
    """Puts callbacks on one channel's events queue.

    Attributes:
        sqs: An SQS client.
        queue_url: The events queue.
        base_url: The public URL of the callbacks, which Twilio's signature covers.
    """

    sqs: Any
    queue_url: str
    base_url: str

    def receive(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put one request on the queue; anything else than a callback is logged and accepted.

        Returns:
            The answer 204, since Twilio repeats a request after any other.

        Raises:
            QueueUnavailable: The queue did not take it.
        """
        try:
            self._put(self._event(request))
        except CallbackRejected as rejected:
            log.warning(
                "a request was rejected",
                extra={"event": CALLBACK_REJECTED, "reason": rejected.reason},
            )
        return {"statusCode": 204}

    def _event(self, request: Mapping[str, Any]) -> str:
        path, query = request.get("rawPath", ""), request.get("rawQueryString", "")
        _, found, named = path.rpartition(CALLBACKS_PATH)
        if not found:
            raise CallbackRejected("other_path")
        url = f"{self.base_url}{CALLBACKS_PATH}{named}" + (f"?{query}" if query else "")
        event = {
            "url": url,
            "signature": request.get("headers", {}).get(SIGNATURE_HEADER, ""),
            "body": _body(request),
            "received_at": round(time.time(), 3),
        }
        message = json.dumps(event)
        if len(message) > MAX_EVENT_BYTES:
            raise CallbackRejected("too_large")
        return message

    def _put(self, event: str) -> None:
        try:
            self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=event)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(type(error).__name__) from None


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Put a status callback on the channel's events queue.

    Args:
        event: A request to an API Gateway HTTP API, payload format 2.0.

    Returns:
        The answer 204 without a body.

    Raises:
        QueueUnavailable: SQS did not take it; API Gateway answers 500.
        ReceiverConfigurationError: An environment variable is missing or invalid.
    """
    return receiver().receive(event)


@cache
def receiver() -> Receiver:
    """Build the receiver, once per container.

    Raises:
        ReceiverConfigurationError: An environment variable is missing or invalid.
    """
    names = ("CHANNEL", "EVENTS_QUEUE_URL", "CALLBACK_BASE_URL")
    channel, queue_url, base_url = (os.environ.get(name, "").strip() for name in names)
    level = os.environ.get("LOG_LEVEL", "").strip() or "INFO"
    problems = [
        f"{name}: missing or empty" for name in names if not os.environ.get(name, "").strip()
    ]
    if base_url and not _is_base_url(base_url):
        problems.append(
            "CALLBACK_BASE_URL: not an http:// or https:// address without a trailing slash, "
            "query and fragment"
        )
    if level not in logging.getLevelNamesMapping():
        problems.append("LOG_LEVEL: not a level of the log")
    if problems:
        raise ReceiverConfigurationError(
            f"environment variables of the function: {'; '.join(problems)}"
        )
    _configure_log(level, f"{channel}-receiver", os.environ.get("VERSION", "unversioned"))
    return Receiver(get_session().create_client("sqs", config=AWS_CLIENT), queue_url, base_url)


def _body(request: Mapping[str, Any]) -> str:
    body = request.get("body") or ""
    try:
        encoded = (
            b64decode(body, validate=True) if request.get("isBase64Encoded") else body.encode()
        )
        text: str = encoded.decode()
    except ValueError:
        raise CallbackRejected("undecodable") from None
    if not text:
        raise CallbackRejected("empty")
    if len(encoded) > MAX_BODY_BYTES:
        raise CallbackRejected("too_large")
    return text


def _is_base_url(value: str) -> bool:
    try:
        address = urlsplit(value)
        is_address = address.scheme in {"http", "https"} and address.hostname and address.port != 0
    except ValueError:
        return False
    return bool(is_address) and not value.endswith("/") and {"?", "#"}.isdisjoint(value)


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str, version: str) -> None:
        super().__init__()
        self._common = {"service": service, "processor_version": version}

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: getattr(record, name) for name in ("event", "reason")}
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return json.dumps(
            {
                "level": record.levelname,
                "message": record.getMessage(),
                "timestamp": f"{at}.{record.msecs:03.0f}+00:00",
                **self._common,
                **fields,
            }
        )


def _configure_log(level: str, service: str, version: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter(service, version))
    log.handlers = [handler]
    log.setLevel(level)
    log.propagate = False  # Lambda's root handler would write each line again


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # In Lambda the receiver is built at start: a misconfigured function takes no request.
    receiver()
