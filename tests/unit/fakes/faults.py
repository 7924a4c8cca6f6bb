"""What a fake can be told to do wrong, once for each time it is told."""

from collections import defaultdict, deque
from enum import Enum, auto
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Fault(Enum):
    """How a write to the conversations table goes wrong."""

    UNAVAILABLE = auto()
    """Not applied; the caller hears that the table did not answer."""
    REFUSED = auto()
    """Not applied; the caller hears that the table refuses the call."""
    TOO_LARGE = auto()
    """Not applied; the caller hears that the record is too large."""
    ANSWER_LOST = auto()
    """Applied; the caller hears that the table did not answer."""
    REPEATED = auto()
    """Applied; the answer is lost, and the SDK repeats the write by itself."""
    UNFORESEEN = auto()
    """Not applied; an error that nobody thought of."""


class Unforeseen(Exception):
    """An error that nobody thought of; its text quotes what must not get out."""

    def __init__(self) -> None:
        super().__init__("+15550100123 sk-unforeseen 'Good morning Amara'")


class Plan(Generic[T]):
    """What is to go wrong next, by the name of the call."""

    def __init__(self) -> None:
        self._next: defaultdict[str, deque[T]] = defaultdict(deque)
        self._lock = Lock()

    def add(self, call: str, fault: T, times: int = 1) -> None:
        """Let the next calls of that name go wrong."""
        self._next[call].extend([fault] * times)

    def pop(self, call: str) -> T | None:
        """What goes wrong with this call, if anything."""
        with self._lock:
            return self._next[call].popleft() if self._next[call] else None
