"""A WSGI server on 127.0.0.1 that stops quickly and completely, and fault injection in front of it.

An application that raises a `ConnectionError` resets the connection instead of responding.
"""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from local.fakes.faults import Fault, FaultKind, FaultPlan, RequestLog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
CONTROL_PREFIX = "/_control/"
_POLL_SECONDS = 0.02
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FAULT_KEY = "fakes.fault"
_GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def free_port(preferred: int = 0) -> int:
    """Return a loopback port that is currently free: the preferred one if it is."""
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)) as listener:
            free: int = listener.getsockname()[1]
            return free
    raise OSError("no loopback port is free")


def reserve_port(preferred: int = 0) -> socket.socket:
    """Return a socket with a free port, which no other server gets until the socket is closed."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((HOST, free_port(preferred)))
    return reserved


class InterruptibleWait:
    """Waits within requests, which `interrupt` ends when the server stops."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def enable(self) -> None:
        """Allow waits again."""
        self._interrupted.clear()

    def interrupt(self) -> None:
        """End every wait, now and later."""
        self._interrupted.set()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            ConnectionAbortedError: The wait was interrupted.
        """
        if self._interrupted.wait(seconds):
            raise ConnectionAbortedError("the server is stopping")

    def until_disconnect(self, connection: socket.socket) -> None:
        """Wait until the client closes its connection or the wait is interrupted.

        Args:
            connection: A connection from which the complete request has been read, so that the
                next readable event is its end.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not self._interrupted.is_set() and not selector.select(_POLL_SECONDS):
                pass


class LoopbackServer:
    """Serves a WSGI application from `start` to `stop`, or as a context manager.

    Each request has a thread of its own.

    Args:
        application: The application.
        name: Name of the thread, also used in errors.
        port: Where to listen; 0 for any free port.
        wait: The application's waits, which `stop` interrupts.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        name: str,
        port: int = 0,
        wait: InterruptibleWait | None = None,
    ) -> None:
        self._application = application
        self._name = name
        self._requested_port = port
        self._preferred_port = 0
        self._wait = wait or InterruptibleWait()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port in use.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._server is None:
            raise RuntimeError(f"{self._name} is not running: start it first")
        return self._server.port

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a path.

        Raises:
            RuntimeError: The server is not running.
        """
        return f"http://{HOST}:{self.port}"

    def prefer_port(self, port: int) -> None:
        """Listen on this port if it is free, unless another one was requested."""
        self._preferred_port = port

    def start(self) -> None:
        """Listen and serve.

        Raises:
            OSError: The port is not available.
        """
        self._wait.enable()
        # Werkzeug exits the process if the port is in use; a listening socket raises instead.
        port = self._requested_port
        if not port and self._preferred_port:
            port = free_port(self._preferred_port)
        with socket.create_server((HOST, port)) as listener:
            self._server = _Server(HOST, 0, self._application, _Handler, fd=listener.fileno())
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, name=self._name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, abort open requests and join every thread; a second call does nothing."""
        self._wait.interrupt()
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # `server_close` joins only non-daemon threads

    def __init__(self, *args: Any, **options: Any) -> None:
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._stopped, self._stopper = socket.socketpair()
        super().__init__(*args, **options)

    def serve_until_stopped(self) -> None:
        # Unlike `serve_forever` this does not poll: it uses no CPU while idle and stops at once.
        with selectors.DefaultSelector() as selector, self._stopped:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()
        self.server_close()

    def stop(self) -> None:
        self._stopper.close()

    def reset_when_closed(self, connection: socket.socket) -> None:
        self._to_reset.add(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request in self._to_reset:
            self._to_reset.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        super().server_close()


class _Handler(WSGIRequestHandler):
    def connection_dropped(
        self,
        error: BaseException,  # noqa: ARG002  # the base class's signature
        environ: "WSGIEnvironment | None" = None,  # noqa: ARG002  # the same
    ) -> None:
        # Without this the base class waits for another request on the same connection.
        self.close_connection = True
        if isinstance(self.server, _Server):
            self.server.reset_when_closed(self.connection)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # as above
        """Print nothing: tests read the request log."""


class FaultInjectionMiddleware:
    """Records the requests to an application and injects the planned faults.

    Args:
        application: What responds unless a rule of the plan applies.
        error_response: Renders a fault of kind `error` in the vendor's format.

    Attributes:
        plan: The rules.
        log: The requests.
        wait: How requests wait.
    """

    def __init__(
        self, application: "WSGIApplication", *, error_response: Callable[[Fault], Response]
    ) -> None:
        self.plan = FaultPlan()
        self.log = RequestLog()
        self.wait = InterruptibleWait()
        self._application = application
        self._error_response = error_response

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to one request.

        Raises:
            ConnectionError: The connection is to be reset.
        """
        request = buffered_request(environ)
        if request.path.startswith(CONTROL_PREFIX):
            return self._application(environ, start_response)
        recorded = self.log.begin(request)
        fault = self.plan.next_fault(recorded)
        try:
            response = self._respond(fault, environ)
        except ConnectionError:
            self.log.finish(recorded, fault)
            raise
        self.log.finish(recorded, fault, status=response.status_code)
        return response(environ, start_response)

    def _respond(self, fault: Fault | None, environ: "WSGIEnvironment") -> Response:
        if fault is None:
            return self._normal(environ)
        match fault.kind:
            case FaultKind.ERROR | FaultKind.NOT_JSON:
                return self._error(fault, environ)
            case FaultKind.RESET | FaultKind.HANG:
                return self._disconnect(fault, environ)
            case FaultKind.SLOW:
                return self._slow(fault, environ)
            case FaultKind.EMPTY:
                response = self._normal(environ)
                response.set_data(b"")
                return response
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
            response = self._error_response(fault)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = f"{fault.retry_after:g}"
        return response

    def _disconnect(self, fault: Fault, environ: "WSGIEnvironment") -> NoReturn:
        if fault.effect_applied:
            self._normal(environ)
        if fault.kind is FaultKind.HANG:
            self.wait.until_disconnect(environ["werkzeug.socket"])
        raise ConnectionResetError("injected fault")

    def _slow(self, fault: Fault, environ: "WSGIEnvironment") -> Response:
        if not fault.effect_applied:
            self.wait.sleep(fault.seconds)
            return self._normal(environ)
        response = self._normal(environ)
        self.wait.sleep(fault.seconds)
        return response


def injected_fault(environ: "WSGIEnvironment") -> Fault | None:
    """Return the vendor-specific fault that the application itself applies to this request."""
    fault: Fault | None = environ.get(_FAULT_KEY)
    return fault


def buffered_request(environ: "WSGIEnvironment") -> Request:
    """Return the request, whose body can be read again after each `rewind`.

    Raises:
        ConnectionAbortedError: The client disconnected before the end of its request.
    """
    try:
        body = Request(environ, populate_request=False).get_data()
    except ClientDisconnected as error:
        raise ConnectionAbortedError("the client disconnected") from error
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return Request(environ, populate_request=False)


def rewind(environ: "WSGIEnvironment") -> None:
    """Reset the body of a buffered request to its beginning."""
    environ["wsgi.input"].seek(0)
