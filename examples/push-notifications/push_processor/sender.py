"""The push vendor's API: sends a notification once, and finds those whose outcome is unknown."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from lambda_src.processors import (
    CredentialsRefused,
    DeadlineAdapter,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from urllib3.exceptions import MaxRetryError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_src.processors import OutgoingMessage

    from push_processor.parts import PushCredentials

MAX_CONNECT_SECONDS = 3.0
"""The part of the timeout for a connection."""

_ERRORS: dict[int, Callable[[Step], ProcessingError]] = {
    HTTPStatus.UNAUTHORIZED: lambda step: CredentialsRefused("push_key_refused", step),
    HTTPStatus.FORBIDDEN: lambda step: CredentialsRefused("push_key_refused", step),
    HTTPStatus.GONE: lambda step: PermanentFailure(
        "push_device_gone", step, "the device's token is no longer valid"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: lambda step: RateLimited("push_rate_limited", step),
}


class PushSender:
    """Implements the port `Sender` with the vendor's HTTP API; no request is repeated.

    Args:
        timeout: Seconds for a whole request.
        base_url: The vendor's scheme and host.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        connect = min(MAX_CONNECT_SECONDS, timeout / 2)
        self._timeout = (connect, timeout - connect)
        self._url = f"{base_url}/v1/notifications"
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, DeadlineAdapter(max_retries=0))

    def send(self, credentials: PushCredentials, message: OutgoingMessage) -> str:
        """Send once and return the vendor's id of the notification."""
        content = {"app": message.sender, "device": message.recipient, "text": message.body}
        response = self._request("POST", credentials, Step.SEND, json=content)
        notification = _json(response)
        if not isinstance(notification, dict) or not notification.get("id"):
            raise SendOutcomeUnknown("push_answer_without_id", Step.SEND)
        return str(notification["id"])

    def find(
        self, credentials: PushCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """Return the ids of all such notifications created since then, oldest first."""
        wanted = {"app": message.sender, "device": message.recipient, "since": str(since)}
        listed = _json(self._request("GET", credentials, Step.SETTLE, params=wanted))
        if not isinstance(listed, list):
            raise TransientFailure("push_list_unreadable", Step.SETTLE)
        return tuple(str(one["id"]) for one in listed if one["text"] == message.body)

    def _request(
        self, method: str, credentials: PushCredentials, step: Step, **content: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {credentials.app_key}"}
        try:
            response = self._session.request(
                method,
                self._url,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            raise _classify_exception(error, step) from error
        if not response.ok:
            raise _classify_status(response.status_code, step)
        return response


def _classify_status(status: int, step: Step) -> ProcessingError:
    if status in _ERRORS:
        return _ERRORS[status](step)
    if step is Step.SETTLE:  # a lookup rejects no message
        return TransientFailure(f"push_{status}", step)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return PermanentFailure(f"push_{status}", step)
    return SendOutcomeUnknown(f"push_{status}", step)


def _classify_exception(error: requests.RequestException, step: Step) -> ProcessingError:
    cause = error.args[0] if error.args else None
    not_connected = isinstance(error, requests.ConnectTimeout) or (
        isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    )
    kind = type(error).__name__
    if step is Step.SETTLE or not_connected:
        return TransientFailure("push_unreachable", step, kind)
    return SendOutcomeUnknown("push_answer_lost", step, kind)


def _json(response: requests.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None
