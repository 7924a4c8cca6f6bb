"""Stand-in for OpenAI's API: conversations, responses, models, and the threads of assistants."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from local.stand_ins.fault_plan import ANY_REQUEST, Match
from local.stand_ins.faults import Fault, FaultKind
from local.stand_ins.faulty_application import CONTROL_PREFIX
from local.stand_ins.openai.errors import NAMED_FAULTS, OpenAIError, refusal
from local.stand_ins.openai.identifiers import new_id
from local.stand_ins.openai.models import Models
from local.stand_ins.openai.response_routes import ResponseRoutes
from local.stand_ins.openai.settings import OpenAISettings
from local.stand_ins.openai.thread_routes import ThreadRoutes
from local.stand_ins.stand_in import StandIn

_ANSWERS = Match(method="POST", paths=("/v1/responses", "/v1/threads/*/runs"))
_BEARER = "Bearer "

ResponseT = TypeVar("ResponseT", bound=Response)


class OpenAIStandIn(StandIn[OpenAISettings]):
    """OpenAI on loopback.

    Args:
        keys: API keys that are accepted.
        models: Models that exist; the first is the one of assistants that name none.
        assistants: Model of each assistant, by its id; None for any id.
        settings: Delays.
        port: Where to listen; 0 for any free port.
    """

    own_faults = frozenset(
        {
            FaultKind.THINKING,
            FaultKind.REFUSAL,
            FaultKind.INCOMPLETE,
            FaultKind.FAILED,
            FaultKind.MISFIT,
        }
    )

    def __init__(
        self,
        *,
        keys: Collection[str],
        models: Collection[str],
        assistants: Mapping[str, str] | None = None,
        settings: OpenAISettings | None = None,
        port: int = 0,
    ) -> None:
        self._keys = frozenset(keys)
        known_models = Models(models)
        self._responses = ResponseRoutes(self, known_models)
        self._threads = ThreadRoutes(self, known_models, assistants)
        self._flask = Flask("openai", static_folder=None)
        self._prepare()
        super().__init__(
            self._flask,
            settings=settings or OpenAISettings(),
            named_faults=NAMED_FAULTS,
            port=port,
        )

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` names."""
        return f"{self.origin}/v1"

    def forget(self) -> None:
        """Forget all conversations, responses and threads."""
        self._responses.forget()
        self._threads.forget()

    def state(self) -> dict[str, Any]:
        """All `conversations` with their items, `responses`, and `threads` with messages, runs."""
        return self._responses.state() | self._threads.state()

    def usual_match(self, fault: Fault) -> Match:
        """Spoilt answers are of responses and runs; anything else can befall every request."""
        return _ANSWERS if fault.kind in self.own_faults else ANY_REQUEST

    def error_answer(self, fault: Fault) -> Response:
        """The error answer that a fault asks for."""
        error = OpenAIError(fault.code or None, fault.message, status=fault.status)
        with self._flask.app_context():
            return _identified(refusal(error))

    def _prepare(self) -> None:
        self._flask.before_request(self._check_key)
        self._flask.after_request(_identified)
        self._responses.register(self._flask)
        self._threads.register(self._flask)
        self._flask.register_error_handler(OpenAIError, refusal)
        for kind in (NotFound, MethodNotAllowed):
            self._flask.register_error_handler(kind, _invalid_url)

    def _check_key(self) -> None:
        if request.path.startswith(CONTROL_PREFIX):
            return
        header = request.headers.get("Authorization", "")
        if not header.startswith(_BEARER):
            raise OpenAIError("invalid_api_key", "You didn't provide an API key.")
        if header.removeprefix(_BEARER) not in self._keys:
            raise OpenAIError("invalid_api_key")


def _identified(response: ResponseT) -> ResponseT:
    response.headers["x-request-id"] = new_id("req")
    return response


def _invalid_url(error: NotFound | MethodNotAllowed) -> Response:
    message = f"Invalid URL ({request.method} {request.path})"
    return refusal(OpenAIError(None, message, status=error.code or 404))
