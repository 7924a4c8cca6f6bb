"""The ids that every log line of the message at hand carries."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, str]] = ContextVar("log_ids")


def current() -> dict[str, str]:
    """The ids bound in this thread."""
    return _ids.get({})


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Add ids to every log line of this thread while the context lasts."""
    token = _ids.set({**current(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)
