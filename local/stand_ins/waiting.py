"""Waiting within a request, cut short when the stand-in stops."""

import selectors
import socket
import threading

_POLL_SECONDS = 0.02


class Waiting:
    """Lets requests wait until they are told not to any longer."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def allow(self) -> None:
        """Let requests wait."""
        self._ended.clear()

    def end(self) -> None:
        """Cut short every wait, now and later."""
        self._ended.set()

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ConnectionAbortedError: The wait was cut short.
        """
        if self._ended.wait(seconds):
            raise ConnectionAbortedError("the stand-in is stopping")

    def until_client_gives_up(self, connection: socket.socket) -> None:
        """Wait until the client closes its connection, or the wait is cut short.

        Args:
            connection: A connection from which the request has been read whole, so that the next
                thing to read is its end.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not self._ended.is_set() and not selector.select(_POLL_SECONDS):
                pass
