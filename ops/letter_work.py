"""Working on all letters of a queue: several at once, each alone, until done or called off."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from lambda_src.core.ledger import ConditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.letter_case import Case, CaseFile
    from ops.letters import Letter, Letters

CHANGED = "stays: its record changed meanwhile, so run the command again"


class Judgement(Protocol):
    """What is done with a letter, or why it is left; as text, in words."""

    @property
    def acts(self) -> bool:
        """Whether anything is done."""


V = TypeVar("V", bound=Judgement)


class Handling(Protocol[V]):
    """A command's way with letters: verdicts in words, and what they lead to."""

    def judge(self, case: Case) -> V | None:
        """What is to be done with a letter; None for one that was not chosen."""

    def execute(self, case: Case, verdict: V) -> None:
        """Do it.

        Raises:
            ConditionFailed: The record is not as it was read any more.
        """


@dataclass
class Tally:
    """How many letters got which verdict, by cause and status; `acted`: something was done."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    acted: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, verdict: str, case: Case, *, acts: bool) -> None:
        """Count one letter."""
        with self._lock:
            self.counts[verdict, case.cause, case.status] += 1
            self.acted += acts

    def rows(self) -> list[dict[str, object]]:
        """The groups, the largest first."""
        return [
            {"letters": number, "verdict": verdict, "cause": cause, "status": status}
            for (verdict, cause, status), number in self.counts.most_common()
        ]


@dataclass(frozen=True)
class LetterWork(Generic[V]):
    """Goes through the dead letters.

    Attributes:
        letters: The queue.
        file: Opens each letter.
        handling: What the command makes of it.
        tally: Counts as it goes, so that it tells the truth when the work is called off.
        seen: Called once for each letter that is done with.
        call_off: Called when the work is interrupted: whoever waits for a turn gives up.
        workers: Letters at once; no more than these are in memory.
    """

    letters: Letters
    file: CaseFile
    handling: Handling[V]
    tally: Tally
    seen: Callable[[], None] = lambda: None
    call_off: Callable[[], None] = lambda: None
    workers: int = 10

    def go(self, *, change: bool, limit: int | None = None) -> None:
        """Judge every letter, and do what follows if `change` says so.

        Args:
            change: Whether to do anything, or only to judge.
            limit: How many letters something is done about at most.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="letter") as pool:
            try:
                self._go(pool, change=change, limit=limit)
            except BaseException:
                self.call_off()
                pool.shutdown(cancel_futures=True)
                raise

    def _go(self, pool: Executor, *, change: bool, limit: int | None) -> None:
        for batch in self.letters.batches():
            room = len(batch) if limit is None else limit - self.tally.acted
            list(pool.map(lambda letter: self._handle(letter, change=change), batch[:room]))
            if limit is not None and self.tally.acted >= limit:
                return

    def _handle(self, letter: Letter, *, change: bool) -> None:
        case = self.file.open(letter)
        verdict = self.handling.judge(case)
        if verdict is not None:
            self._follow(case, verdict, change=change)
        self.seen()

    def _follow(self, case: Case, verdict: V, *, change: bool) -> None:
        try:
            if verdict.acts and change:
                self.handling.execute(case, verdict)
        except ConditionFailed:
            self.tally.add(CHANGED, case, acts=False)
        else:
            self.tally.add(str(verdict), case, acts=verdict.acts)
