"""Run an action on every dead-letter message: survey, confirm, then apply with progress."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from lambda_src.core import ConditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ops.console import Console
    from ops.dlq.inspection import Inspection, Inspector
    from ops.queues import QueueMessage, QueueScanner

WORKERS = 10
"""Messages in work at once, and in memory."""
CHANGED = "stays: its record has changed meanwhile, so run the command again"


class Decision(Protocol):
    """What to do with a message, or why it stays; its text is shown to the operator."""

    @property
    def acts(self) -> bool:
        """Whether anything is done."""


D = TypeVar("D", bound=Decision)


class Action(Protocol[D]):
    """What a command does with dead-letter messages."""

    def decide(self, inspection: Inspection) -> D | None:
        """Return what to do with a message; None if it is not selected."""

    def apply(self, inspection: Inspection, decision: D) -> None:
        """Execute a decision.

        Raises:
            ConditionFailed: The record has changed since the inspection.
        """


class Cancelled(Exception):
    """The run was cancelled while a thread waited for the rate limiter."""


class RateLimiter:
    """Lets at most `per_second` calls through each second, evenly, over all threads.

    Args:
        per_second: The rate; 0 means no limit.
        clock: Returns monotonic seconds.
        wait: Waits for seconds; returns True if the run was cancelled meanwhile.
    """

    def __init__(
        self,
        per_second: float = 0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._cancelled = Event()
        self._wait = wait or self._cancelled.wait
        self._next = clock()
        self._lock = Lock()

    def cancel(self) -> None:
        """Let no call through any more."""
        self._cancelled.set()

    def acquire(self) -> None:
        """Wait for the caller's turn.

        Raises:
            Cancelled: The run was cancelled.
        """
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._interval
        if self._wait(turn - now) or self._cancelled.is_set():
            raise Cancelled


@dataclass
class DecisionCounts:
    """Number of messages by decision, cause and status; `acted`: those with an effect."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    acted: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, decision: str, inspection: Inspection, *, acts: bool) -> None:
        """Count one message."""
        with self._lock:
            self.counts[decision, inspection.cause, inspection.status] += 1
            self.acted += acts

    def rows(self) -> list[dict[str, object]]:
        """Return the groups as rows, the largest first."""
        return [
            {"messages": number, "decision": decision, "cause": cause, "status": status}
            for (decision, cause, status), number in self.counts.most_common()
        ]


@dataclass(frozen=True)
class Runner(Generic[D]):
    """Runs one action on the dead-letter queue.

    Attributes:
        console: Shows the survey and the result.
        scanner: The dead-letter queue.
        inspector: Inspects each message.
        action: The action.
        limiter: Cancelled if the run is interrupted.
        limit: Maximum number of messages to act on; None for all.
    """

    console: Console
    scanner: QueueScanner
    inspector: Inspector
    action: Action[D]
    limiter: RateLimiter
    limit: int | None

    def run(self, *, dry_run: bool, yes: bool) -> None:
        """Survey the messages, ask, and apply the action.

        Decisions are made again when they are applied, on the records as they are then.

        Raises:
            Declined: The operator said no.
            KeyboardInterrupt: The run was interrupted; the result so far is shown.
        """
        planned, done = DecisionCounts(), DecisionCounts()
        self._process(planned, change=False)
        self.scanner.release()
        is_to_act = bool(planned.acted) and not dry_run
        if not (is_to_act and self.console.as_json):
            self._show(planned, "planned")
        if not is_to_act:
            return
        staying = sum(planned.counts.values()) - planned.acted
        rest = f" The other {staying} stay." if staying else ""
        self.console.confirm(f"Continue with {planned.acted} messages?{rest}", yes=yes)
        try:
            self._process(done, change=True)
        finally:
            self._show(done, "done")

    def _process(self, counts: DecisionCounts, *, change: bool) -> None:
        with (
            self.console.progress() as progress,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="dead-letter") as pool,
        ):
            title = "processing" if change else "inspecting"
            task = progress.add_task(title, total=self.scanner.count())

            def handle(message: QueueMessage) -> None:
                self._handle(message, counts, change=change)
                progress.advance(task)

            try:
                for batch in self.scanner.batches():
                    list(pool.map(handle, self._within_limit(batch, counts)))
                    if self.limit is not None and counts.acted >= self.limit:
                        return
            except BaseException:
                self.limiter.cancel()
                pool.shutdown(cancel_futures=True)
                raise

    def _within_limit(
        self, batch: Sequence[QueueMessage], counts: DecisionCounts
    ) -> Sequence[QueueMessage]:
        return batch if self.limit is None else batch[: self.limit - counts.acted]

    def _handle(self, message: QueueMessage, counts: DecisionCounts, *, change: bool) -> None:
        inspection = self.inspector.inspect(message)
        decision = self.action.decide(inspection)
        if decision is None:
            return
        try:
            if decision.acts and change:
                self.action.apply(inspection, decision)
        except ConditionFailed:
            counts.add(CHANGED, inspection, acts=False)
        else:
            counts.add(str(decision), inspection, acts=decision.acts)

    def _show(self, counts: DecisionCounts, title: str) -> None:
        self.console.result({title: counts.rows(), "acted": counts.acted})
        self.console.heading(title)
        self.console.rows(counts.rows(), empty="no matching messages are visible")
