"""What a part of the proof came to, as counts of what must not be."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from tests.faults.rules import DOUBLING, LOSING, WRONG, Rule

Verdict = tuple[Iterable[Rule], bool]
"""The rules that one case broke, and whether it ended open, with nobody called."""


class Judged(ABC):
    """Cases, each judged by the rules of the promise."""

    __slots__ = ()

    @property
    @abstractmethod
    def verdicts(self) -> Iterable[Verdict]:
        """The verdict on each case; of those that broke nothing, it may be left out."""

    @property
    def lost(self) -> int:
        """Cases in which a message was lost."""
        return self._breaking(LOSING)

    @property
    def doubled(self) -> int:
        """Cases in which a message was sent twice."""
        return self._breaking(DOUBLING)

    @property
    def wrong(self) -> int:
        """Cases in which a record was wrong, or a worker did what it must not."""
        return self._breaking(WRONG)

    @property
    def unresolved(self) -> int:
        """Cases which ended open, with nobody called."""
        return sum(is_unresolved for _, is_unresolved in self.verdicts)

    def _breaking(self, these: frozenset[Rule]) -> int:
        return sum(not these.isdisjoint(broken) for broken, _ in self.verdicts)
