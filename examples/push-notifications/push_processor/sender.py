"""The push vendor: sends a notification once, and finds those whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from lambda_src.processors import BoundedAdapter, SendOutcomeUnknown, Step, TransientFailure

from push_processor.vendor_errors import meaning, of_a_lost_answer

if TYPE_CHECKING:
    from lambda_src.processors import OutgoingMessage

    from push_processor.parts import PushCredentials

CONNECT_SECONDS = 3.0
"""The part of the timeout that a connection may take."""


class PushSender:
    """Implements the port `Sender` with the vendor's HTTP API; no request is ever repeated.

    Args:
        timeout: Seconds for a whole request.
        base_url: The vendor's scheme and host.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        connect = min(CONNECT_SECONDS, timeout / 2)
        self._timeout = (connect, timeout - connect)
        self._url = f"{base_url}/v1/notifications"
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, BoundedAdapter(max_retries=0))

    def send(self, credentials: PushCredentials, message: OutgoingMessage) -> str:
        """Send once and return the vendor's id of the notification."""
        order = {"app": message.sender, "device": message.recipient, "text": message.body}
        answer = self._request("POST", credentials, Step.SEND, json=order)
        notification = _json(answer)
        if not isinstance(notification, dict) or not notification.get("id"):
            raise SendOutcomeUnknown("push_answer_without_id", Step.SEND)
        return str(notification["id"])

    def find(
        self, credentials: PushCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """The ids of all notifications like that one created since then, the oldest first."""
        wanted = {"app": message.sender, "device": message.recipient, "since": str(since)}
        answer = self._request("GET", credentials, Step.SETTLE, params=wanted)
        listed = _json(answer)
        if not isinstance(listed, list):
            raise TransientFailure("push_list_unreadable", Step.SETTLE)
        return tuple(str(one["id"]) for one in listed if one["text"] == message.body)

    def _request(
        self, method: str, credentials: PushCredentials, step: Step, **content: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {credentials.app_key}"}
        try:
            answer = self._session.request(
                method,
                self._url,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            raise of_a_lost_answer(error, step) from error
        if not answer.ok:
            raise meaning(answer, step)
        return answer


def _json(answer: requests.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None
