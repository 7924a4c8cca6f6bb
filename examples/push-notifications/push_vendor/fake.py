"""A fake of the push vendor: accepts notifications, lists them, and fails on request."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from ai_multi_comms.local_cloud import FakeService, Fault, Match
from flask import Flask, abort, jsonify, request
from werkzeug.wrappers import Response

from push_processor.parts import BASE_URL

KEY = "fake-push-key"
PATH = "/v1/notifications"


@dataclass(frozen=True)
class Notification:
    """An accepted notification.

    Attributes:
        id: The vendor's id.
        app: The app that it is from.
        device: The device that shows it.
        text: Its text.
        created_at: Seconds since the epoch.
    """

    id: str
    app: str
    device: str
    text: str
    created_at: float


class FakePushVendor(FakeService[None]):
    """The vendor's HTTP API on loopback, also for the conformance checks.

    Args:
        clock: Returns seconds since the epoch.
    """

    secret: Mapping[str, str] = {"push_app_key": KEY}

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._accepted: list[Notification] = []
        self._ids = itertools.count(1)
        application = Flask("push", static_folder=None)
        application.post(PATH)(self._create)
        application.get(PATH)(self._list)
        super().__init__(application, settings=None, named_faults={})

    def on_device(self, device: str) -> list[Notification]:
        """Return a device's notifications, oldest first."""
        return [accepted for accepted in self._accepted if accepted.device == device]

    def clear_state(self) -> None:
        """Remove all notifications."""
        self._accepted.clear()

    def state(self) -> dict[str, Any]:
        """Return the accepted notifications."""
        return {"notifications": [asdict(accepted) for accepted in self._accepted]}

    def default_match(self, fault: Fault) -> Match:  # noqa: ARG002 - the same for all faults
        """Let faults apply to sends by default."""
        return Match(method="POST", paths=(PATH,))

    def error_response(self, fault: Fault) -> Response:
        """Return an error of that status; the vendor has no codes of its own."""
        return Response(status=fault.status)

    def environment(self) -> Mapping[str, str]:
        """Return the variables that direct the sender to the fake."""
        return {BASE_URL: self.base_url}

    def accepted_ids(self) -> Sequence[str]:
        """Return the ids of the accepted notifications, oldest first."""
        return [accepted.id for accepted in self._accepted]

    def lose_next_response(self, *, accepted: bool) -> None:
        """Reset the connection of the next send, after it was accepted or instead of that."""
        self.fail_next(Fault.reset(effect_applied=accepted))

    def reject_next_send(self) -> None:
        """Reject the next send permanently: the device's token is no longer valid."""
        self.fail_next(Fault.error(HTTPStatus.GONE))

    def rate_limit_next_send(self) -> None:
        """Reject the next send because there are too many."""
        self.fail_next(Fault.error(HTTPStatus.TOO_MANY_REQUESTS))

    def _create(self) -> tuple[Response, int]:
        _check_key()
        body, id_ = request.get_json(), f"PN{next(self._ids)}"
        accepted = Notification(id_, body["app"], body["device"], body["text"], self._clock())
        self._accepted.append(accepted)
        return jsonify(asdict(accepted)), HTTPStatus.CREATED

    def _list(self) -> Response:
        _check_key()
        app, since = request.args["app"], float(request.args["since"])
        found = [n for n in self.on_device(request.args["device"]) if n.app == app]
        return jsonify([asdict(each) for each in found if each.created_at >= since])


def _check_key() -> None:
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        abort(HTTPStatus.UNAUTHORIZED)
