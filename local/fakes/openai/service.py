"""The fake of OpenAI's API: models, conversations, responses, and the threads of assistants."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, TypeVar

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from local.fakes.faults import ANY_REQUEST, Fault, FaultKind, Match
from local.fakes.openai.errors import NAMED_FAULTS, OpenAIError, error_response
from local.fakes.openai.model import OpenAISettings
from local.fakes.openai.responses import ResponseRoutes, new_id
from local.fakes.openai.threads import ThreadRoutes
from local.fakes.server import CONTROL_PREFIX
from local.fakes.service import FakeService

_BEARER = "Bearer "

ResponseT = TypeVar("ResponseT", bound=Response)


class FakeOpenAI(FakeService[OpenAISettings]):
    """OpenAI on loopback.

    Args:
        keys: Accepted API keys.
        models: Models that exist; the first is the one of every assistant.
        settings: Delays.
        port: Where to listen; 0 for any free port.
    """

    vendor_faults = frozenset(
        {FaultKind.THINKING, FaultKind.REFUSAL, FaultKind.INCOMPLETE}
        | {FaultKind.FAILED, FaultKind.WRONG_OUTPUT, FaultKind.COMMENTARY}
        | {FaultKind.REPEATED, FaultKind.REASONING_ONLY, FaultKind.RETIRING}
    )
    vendor_requests = Match(method="POST", paths=("/v1/responses", "/v1/threads/*/runs"))
    own_requests: ClassVar[Mapping[FaultKind, Match]] = {
        FaultKind.RETIRING: Match(method="GET", paths=("/v1/models/*",))
    }
    request_groups: ClassVar[Mapping[str, Match]] = {
        "answers": vendor_requests,
        "all": ANY_REQUEST,
    }
    selector = (".+", "the conversation's id or a part of it")

    def __init__(
        self,
        *,
        keys: Collection[str],
        models: Collection[str],
        settings: OpenAISettings | None = None,
        port: int = 0,
    ) -> None:
        self._keys = frozenset(keys)
        existing = tuple(models)
        self._responses = ResponseRoutes(existing, lambda: self.settings, lambda: self.wait)
        self._threads = ThreadRoutes(existing, lambda: self.settings)
        self._flask = self._build_application()
        super().__init__(
            self._flask, settings=settings or OpenAISettings(), named_faults=NAMED_FAULTS, port=port
        )

    @property
    def base_url(self) -> str:
        """The value of `OPENAI_BASE_URL`."""
        return f"{self.origin}/v1"

    def _limit_state(self, reports: int, messages: int) -> None:  # noqa: ARG002 - it sends none
        self._responses.limit = self._threads.limit = messages

    def clear_state(self) -> None:
        """Remove all conversations, responses and threads."""
        self._responses.clear()
        self._threads.clear()

    def state(self) -> dict[str, Any]:
        """Return `conversations` and `responses`, and `threads` with messages and runs."""
        return self._responses.state() | self._threads.state()

    def error_response(self, fault: Fault) -> Response:
        """Return the error response of a fault."""
        error = OpenAIError(fault.code or None, fault.message, status=fault.status)
        with self._flask.app_context():
            return _with_request_id(error_response(error))

    def _build_application(self) -> Flask:
        application = Flask("openai", static_folder=None)
        application.before_request(self._check_key)
        application.after_request(_with_request_id)
        self._responses.register(application)
        self._threads.register(application)
        application.register_error_handler(OpenAIError, error_response)
        for kind in (NotFound, MethodNotAllowed):
            application.register_error_handler(kind, _invalid_url)
        return application

    def _check_key(self) -> None:
        if request.path.startswith(CONTROL_PREFIX):
            return
        header = request.headers.get("Authorization", "")
        if not header.startswith(_BEARER):
            raise OpenAIError("invalid_api_key", "You didn't provide an API key.")
        if header.removeprefix(_BEARER) not in self._keys:
            raise OpenAIError("invalid_api_key")


def _with_request_id(response: ResponseT) -> ResponseT:
    response.headers["x-request-id"] = new_id("req")
    return response


def _invalid_url(error: NotFound | MethodNotAllowed) -> Response:
    message = f"Invalid URL ({request.method} {request.path})"
    return error_response(OpenAIError(None, message, status=error.code or 404))
