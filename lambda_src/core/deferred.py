"""A part that is made when it is first needed: what makes a cold start long is imports."""

from collections.abc import Callable
from threading import Lock

from lambda_src.core.message import Answer, Assignment
from lambda_src.core.ports import Writer


class DeferredWriter:
    """Implements the port `Writer` with one that is made at the first use.

    Not for what sends: nothing that takes long may come between an intent and its send.

    Args:
        make: Makes it; called once, by whoever comes first, while the others wait.
    """

    def __init__(self, make: Callable[[], Writer]) -> None:
        self._make = make
        self._made: Writer | None = None
        self._lock = Lock()

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Write one message."""
        return self._writer().write(api_key, assignment)

    def _writer(self) -> Writer:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
