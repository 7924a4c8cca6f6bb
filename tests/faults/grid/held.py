"""A call that is held at the boundary until the driver has decided what becomes of it."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Event

from werkzeug.wrappers import Response

from tests.faults.grid.calls import Attempt, CallName

GUARD_SECONDS = 60.0
"""Real time after which something that should have happened is taken for a mistake of the grid."""


class NoAnswer(Enum):
    """The ways in which a call stays without an answer."""

    RESET = auto()
    HANG = auto()


Decision = Response | NoAnswer


@dataclass(frozen=True)
class Held:
    """A worker's call that has arrived and is neither forwarded nor answered yet.

    Attributes:
        attempt: Which.
        forward: Lets the service answer: the call takes its effect.
    """

    attempt: Attempt
    forward: Callable[[], Response]
    _decision: Future[Decision] = field(default_factory=Future)
    _written: Event = field(default_factory=Event)

    @property
    def call(self) -> CallName:
        """The call's name."""
        return self.attempt.call

    @property
    def is_repeated(self) -> bool:
        """Whether the SDK makes it again."""
        return self.attempt.number > 1

    def answer(self, response: Response) -> None:
        """Answer, and return once the answer is on its way."""
        response.call_on_close(self._written.set)
        self._decision.set_result(response)
        self._written.wait(GUARD_SECONDS)

    def pass_on(self) -> None:
        """Let it take its effect, and answer as the service does."""
        self.answer(self.forward())

    def reset(self) -> None:
        """Reset the connection instead of answering."""
        self._decision.set_result(NoAnswer.RESET)

    def hang(self) -> None:
        """Never answer: the connection stays open until the worker gives up."""
        self._decision.set_result(NoAnswer.HANG)

    def decided(self) -> Decision:
        """Wait for the decision."""
        return self._decision.result(GUARD_SECONDS)
