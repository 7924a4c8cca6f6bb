"""The layer between the wire and a vendor's application: it records calls and makes them fail."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, NoReturn

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from local.stand_ins.calls import CallLog
from local.stand_ins.fault_plan import FaultPlan
from local.stand_ins.faults import Fault, FaultKind
from local.stand_ins.waiting import Waiting

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL_PREFIX = "/_control/"
_FAULT_KEY = "stand_in.fault"
_GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class FaultyApplication:
    """Wraps a vendor's application: normal answers, unless the plan says otherwise."""

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        plan: FaultPlan,
        calls: CallLog,
        error_answer: Callable[[Fault], Response],
        waiting: Waiting,
    ) -> None:
        self._application = application
        self._plan = plan
        self._calls = calls
        self._error_answer = error_answer
        self._waiting = waiting

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request.

        Raises:
            ConnectionError: The connection is to be reset.
        """
        request = rereadable(environ)
        if request.path.startswith(CONTROL_PREFIX):
            return self._application(environ, start_response)
        call = self._calls.begin(request)
        fault = self._plan.take(call)
        try:
            response = self._answer(fault, environ)
        except ConnectionError:
            self._calls.finish(call, fault=fault.kind if fault else None)
            raise
        self._calls.finish(call, status=response.status_code, fault=fault.kind if fault else None)
        return response(environ, start_response)

    def _answer(self, fault: Fault | None, environ: "WSGIEnvironment") -> Response:
        if fault is None:
            return self._normal(environ)
        match fault.kind:
            case FaultKind.ERROR | FaultKind.NOT_JSON:
                return self._error(fault, environ)
            case FaultKind.RESET | FaultKind.HANG:
                return self._no_answer(fault, environ)
            case FaultKind.SLOW:
                return self._slow(fault, environ)
            case FaultKind.EMPTY:
                return self._empty(environ)
            case _:
                return self._normal(environ | {_FAULT_KEY: fault})

    def _normal(self, environ: "WSGIEnvironment") -> Response:
        rewind(environ)
        return Response.from_app(self._application, environ, buffered=True)

    def _error(self, fault: Fault, environ: "WSGIEnvironment") -> Response:
        if fault.effect_applied:
            self._normal(environ)
        if fault.kind is FaultKind.NOT_JSON:
            response = Response(status=fault.status, content_type="text/html")
            response.set_data(_GATEWAY_PAGE.format(response.status))
        else:
            response = self._error_answer(fault)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = f"{fault.retry_after:g}"
        return response

    def _no_answer(self, fault: Fault, environ: "WSGIEnvironment") -> NoReturn:
        if fault.effect_applied:
            self._normal(environ)
        if fault.kind is FaultKind.HANG:
            self._waiting.until_client_gives_up(environ["werkzeug.socket"])
        raise ConnectionResetError("reset by order")

    def _slow(self, fault: Fault, environ: "WSGIEnvironment") -> Response:
        if fault.effect_applied:
            response = self._normal(environ)
            self._waiting.pause(fault.seconds)
            return response
        self._waiting.pause(fault.seconds)
        return self._normal(environ)

    def _empty(self, environ: "WSGIEnvironment") -> Response:
        response = self._normal(environ)
        response.set_data(b"")
        return response


def fault_to_play(environ: "WSGIEnvironment") -> Fault | None:
    """The fault that a vendor's application has to play itself in this request, if any."""
    fault: Fault | None = environ.get(_FAULT_KEY)
    return fault


def rereadable(environ: "WSGIEnvironment") -> Request:
    """The request, whose body can be read again after each `rewind`.

    Raises:
        ConnectionAbortedError: The client has gone before the end of its request.
    """
    try:
        body = Request(environ, populate_request=False).get_data()
    except ClientDisconnected as gone:
        raise ConnectionAbortedError("the client is gone") from gone
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return Request(environ, populate_request=False)


def rewind(environ: "WSGIEnvironment") -> None:
    """Let the body of a rereadable request be read from its beginning."""
    environ["wsgi.input"].seek(0)
