"""Stand-in for the push vendor: takes notifications, lists them, and fails when told to."""

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from ai_multi_comms.local_cloud import Fault, Match, StandIn
from flask import Flask, abort, jsonify, request
from werkzeug.wrappers import Response

PATH = "/v1/notifications"
CONTROL = "/_control/"


@dataclass(frozen=True)
class Notification:
    """What a device shows.

    Attributes:
        id: The vendor's.
        app: Who it is from.
        device: Whose it is.
        text: What it says.
        created_at: Seconds since the epoch.
    """

    id: str
    app: str
    device: str
    text: str
    created_at: float


class PushStandIn(StandIn[None]):
    """The vendor's HTTP API on loopback.

    Args:
        key: The app key that it takes.
        clock: Seconds since the epoch.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._taken: list[Notification] = []
        self._ids = itertools.count(1)
        super().__init__(self._api(), settings=None, named_faults={})

    @property
    def base_url(self) -> str:
        """What stands in place of the vendor's own."""
        return self.origin

    def on_device(self, device: str) -> list[Notification]:
        """What a device shows, oldest first."""
        return [taken for taken in self._taken if taken.device == device]

    def forget(self) -> None:
        """Forget all notifications."""
        self._taken.clear()

    def state(self) -> dict[str, Any]:
        """The notifications taken."""
        return {"notifications": [asdict(taken) for taken in self._taken]}

    def usual_match(self, fault: Fault) -> Match:  # noqa: ARG002 - all faults befall sends
        """Sends are what fails unless a match says otherwise."""
        return Match(method="POST", paths=(PATH,))

    def error_answer(self, fault: Fault) -> Response:
        """An error of that status; the vendor has no codes of its own."""
        return Response(status=fault.status)

    def _api(self) -> Flask:
        api = Flask("push", static_folder=None)
        api.before_request(self._check_key)
        api.post(PATH)(self._create)
        api.get(PATH)(self._list)
        return api

    def _check_key(self) -> None:
        given = request.headers.get("Authorization")
        if not request.path.startswith(CONTROL) and given != f"Bearer {self._key}":
            abort(HTTPStatus.UNAUTHORIZED)

    def _create(self) -> tuple[Response, int]:
        order = request.get_json()
        taken = Notification(
            f"PN{next(self._ids)}", order["app"], order["device"], order["text"], self._clock()
        )
        self._taken.append(taken)
        return jsonify(asdict(taken)), HTTPStatus.CREATED

    def _list(self) -> Response:
        app, device = request.args["app"], request.args["device"]
        since = float(request.args["since"])
        found = [n for n in self.on_device(device) if n.app == app and n.created_at >= since]
        return jsonify([asdict(one) for one in found])
