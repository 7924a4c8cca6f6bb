"""Work that stops at each of its outside calls, until whoever holds the schedule lets it go on.

Everything runs in one thread, as greenlets: two pieces of work change places at a port's call and
nowhere else, so that the same decisions always make the same schedule.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from greenlet import GreenletExit, getcurrent, greenlet

from lambda_src.core.context import RecordKey

if TYPE_CHECKING:
    from tests.faults.schedules.troubles import Trouble


class Moment(StrEnum):
    """On which side of a call's effect a task stands."""

    BEFORE = "before"
    AFTER = "after"


class Stand(NamedTuple):
    """Where a task stands."""

    moment: Moment
    call: str

    def __str__(self) -> str:
        return f"{self.moment}:{self.call}"

    @classmethod
    def read(cls, text: str) -> "Stand":
        """The stand that is written so."""
        moment, _, call = text.partition(":")
        return cls(Moment(moment), call)


class Author(NamedTuple):
    """Whose work it is: one delivery, and the conversation that it is about."""

    owner: str
    key: RecordKey


class Host(Protocol):
    """What runs tasks: a container."""

    @property
    def clock(self) -> Callable[[], float]:
        """Its own clock."""

    def spawn(self, work: Callable[[], object], author: Author | None = None) -> "Task":
        """Begin a task."""

    def check_alive(self) -> None:
        """Raise `GreenletExit` in a container that was killed."""

    def author_of(self, message_id: str) -> Author:
        """Whose work a message of the present batch is."""


class Task(greenlet):
    """One piece of work; `author` is None for what is done for a whole batch.

    `trouble` is what goes wrong with the call before which it stands.
    """

    def __init__(self, work: Callable[[], object], author: Author | None = None) -> None:
        super().__init__(work)
        self.author = author
        self.at: Stand | None = None
        self.trouble: Trouble | None = None
        self._waits_for: Callable[[], bool] | None = None

    @property
    def is_new(self) -> bool:
        """Whether it was never let go on."""
        return not (self or self.dead)

    @property
    def is_ready(self) -> bool:
        """Whether it can go on."""
        return not self.dead and (self._waits_for is None or self._waits_for())

    def is_of(self, key: RecordKey) -> bool:
        """Whether it is work on that conversation, and not done."""
        return self.author is not None and self.author.key == key and not self.dead

    def go_on(self) -> None:
        """Let it work up to where it stands next, or to its end."""
        self.parent = getcurrent()
        self.switch()

    def end(self) -> None:
        """End it where it stands: whatever cleans up after it must take no effect any more."""
        self.parent = getcurrent()
        self.throw(GreenletExit)

    def stand(self, moment: Moment, call: str) -> None:
        """Stop there until it is let go on; called by the task itself."""
        self.at = Stand(moment, call)
        pause()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Stop until something is so; called by the task itself."""
        self._waits_for = is_so
        while not is_so():
            pause()
        self._waits_for = None


def current() -> Task:
    """The task that is at work."""
    return cast("Task", getcurrent())


def pause() -> None:
    """Give the turn back to whoever let this task go on."""
    parent = getcurrent().parent
    if parent is not None:
        parent.switch()
