"""Amazon SES: sends an e-mail once, for the tenant with which SES associates the sender."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from lambda_src.core import Sender, SendOutcomeUnknown, Step, call_with_deadline
from lambda_src.services.ses.errors import classify
from lambda_src.services.ses.request import send_email_parameters

if TYPE_CHECKING:
    from lambda_src.core import OutgoingMessage

MAX_CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""
MAX_IDLE_SECONDS = 20.0
"""Idle connections are closed after this: a reset on one would leave a send's outcome unknown."""


class SesSender(Sender):
    """Implements the port `Sender` with SES's API version 2.

    SES refuses a sender or a configuration set that is not associated with the tenant, whose name
    is the company's id. It has no list of messages.

    Args:
        timeout: Seconds for a whole request.
        configuration_set: The configuration set of every message, which reports its delivery.
    """

    def __init__(self, timeout: float, configuration_set: str) -> None:
        connect = min(MAX_CONNECT_SECONDS, timeout / 2)
        config = Config(
            connect_timeout=connect,
            read_timeout=timeout - connect,
            max_pool_connections=25,
            retries={"total_max_attempts": 1},
            user_agent="ai-multi-comms",
        )
        # Reads the description of a hundred operations: part of the container's start.
        self._client: Any = get_session().create_client("sesv2", config=config)
        self._timeout = timeout
        self._configuration_set = configuration_set
        self._used_at = time.monotonic()
        self._lock = Lock()

    def send(self, credentials: object, message: OutgoingMessage) -> str:  # noqa: ARG002 - the function's role
        """Send once and return SES's message id."""
        parameters = send_email_parameters(message, self._configuration_set)
        self._close_idle_connections()
        try:
            answer = call_with_deadline(
                self._timeout, lambda: self._client.send_email(**parameters)
            )
        except TimeoutError as error:
            raise SendOutcomeUnknown("ses_answer_lost", Step.SEND, "no answer in time") from error
        except (BotoCoreError, ClientError) as error:
            raise classify(error) from error
        message_id = answer.get("MessageId")
        if not message_id or not isinstance(message_id, str):
            raise SendOutcomeUnknown("ses_answer_without_id", Step.SEND)
        return message_id

    def _close_idle_connections(self) -> None:
        # Only one thread closes them: another would close what the first has begun to use.
        with self._lock:
            now = time.monotonic()
            was_idle, self._used_at = now - self._used_at > MAX_IDLE_SECONDS, now
            if was_idle:
                self._client.close()
