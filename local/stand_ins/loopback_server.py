"""A WSGI application served on 127.0.0.1 by a background thread that stops quickly and wholly."""

import contextlib
import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class LoopbackServer:
    """Serves an application from `start` to `stop`, each request on a thread of its own.

    An application that raises a `ConnectionError` resets the connection instead of answering.
    """

    def __init__(self, application: "WSGIApplication", *, name: str, port: int = 0) -> None:
        self._application = application
        self._name = name
        self._wanted_port = port
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

    def start(self) -> None:
        """Listen and serve.

        Raises:
            OSError: The port cannot be listened on.
        """
        # Werkzeug would exit the process over a port in use; a ready socket raises instead.
        with socket.create_server((HOST, self._wanted_port)) as listener:
            self._server = _Server(HOST, 0, self._application, _Handler, fd=listener.fileno())
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, name=self._name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, end what is open, and wait for every thread; twice does no harm."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # `server_close` joins only threads that are no daemons

    def __init__(self, *args: Any, **options: Any) -> None:
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._stopped, self._stopper = socket.socketpair()
        super().__init__(*args, **options)

    def serve_until_stopped(self) -> None:
        # Unlike `serve_forever` this does not poll: it costs nothing while idle, and ends at once.
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
        """Say nothing: callers look at the recorded calls."""
