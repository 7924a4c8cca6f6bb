"""What is made of parts that are started together and stopped together."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from types import TracebackType
from typing import Self


class Composite(ABC):
    """A context manager of several: what fails half-way stops the parts that were started."""

    def __init__(self) -> None:
        self._running = ExitStack()

    @abstractmethod
    def _start_parts(self, starting: ExitStack) -> None:
        """Enter every part on the stack, in the order in which they need one another."""

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._start_parts(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._running.close()
