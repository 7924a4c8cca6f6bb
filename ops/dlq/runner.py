"""Run an action on every dead-letter message: survey, confirm, try a few, then apply to the rest.

A run acts only on the messages of its survey, and lets each conversation be processed once: what
comes back to the dead-letter queue meanwhile is left for the next run.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from difflib import get_close_matches
from threading import Event, Lock
from time import sleep
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from lambda_src.core import ConditionFailed, Status
from ops.conversations import poll
from ops.dlq import report
from ops.dlq.inspection import Filter
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from lambda_src.core import RecordKey
    from ops.console import Console
    from ops.conversations import ConversationRecord
    from ops.dlq.inspection import Inspection, Inspector
    from ops.queues import QueueMessage, QueueScanner

WORKERS = 10
"""Messages in work at once, and in memory."""
TRIAL_SIZE = 5
"""How many messages with the same cause are redriven before the others."""
TRIAL_SECONDS = 120
"""How long a run waits until one of them is sent."""
TRIAL_POLL_SECONDS = 1
GOT_THROUGH = frozenset({Status.SENT, Status.AWAITING_APPROVAL})
FAILED_AGAIN = frozenset({Status.FAILED, Status.SEND_UNKNOWN})
CHANGED = "stays: its record has changed meanwhile, so run the command again"
COPY = "stays: another message of its conversation goes first; run the command again afterwards"
STOPPED = "fix it and run the command again; --no-trial does not wait for the first messages"
MAX_SHOWN = 10
"""How many existing values the refusal of an unknown one lists."""


class Decision(Protocol):
    """What to do with a message, or why it stays; its text is shown to the operator."""

    @property
    def acts(self) -> bool:
        """Whether anything is done."""

    @property
    def is_retry(self) -> bool:
        """Whether the conversation is processed again, which asks the vendors."""


D = TypeVar("D", bound=Decision)


class Action(Protocol[D]):
    """What a command does with dead-letter messages."""

    @property
    def criteria(self) -> Mapping[str, Collection[str]]:
        """The values that the operator named, by their options."""

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

    def add(self, decision: str, found: Inspection | Planned, *, acts: bool) -> None:
        """Count one message."""
        with self._lock:
            self.counts[decision, found.cause, found.status] += 1
            self.acted += acts

    def rows(self) -> list[dict[str, object]]:
        """Return the groups as rows, the largest first."""
        return [
            {"messages": number, "decision": decision, "cause": cause, "status": status}
            for (decision, cause, status), number in self.counts.most_common()
        ]


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to act on, as the survey found it.

    Attributes:
        cause: Why it is in the dead-letter queue.
        status: Its record's status.
        is_retry: Whether its conversation is to be processed again.
    """

    cause: str
    status: str
    is_retry: bool


@dataclass
class Plan:
    """The result of a survey.

    Attributes:
        counts: What is to be done.
        messages: The messages to act on, by id.
        seen: How many messages were visible.
        values: What the operator's options can name.
        in_flight: How many messages others have received, so that they were not seen.
        is_complete: Whether all visible messages were seen.
    """

    counts: DecisionCounts = field(default_factory=DecisionCounts)
    messages: dict[str, Planned] = field(default_factory=dict)
    seen: int = 0
    values: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    in_flight: int = 0
    is_complete: bool = True
    _retried: set[RecordKey] = field(default_factory=set)

    def add(self, inspection: Inspection, decision: Decision | None) -> None:
        """Add one message; `decision` is None if it is not selected."""
        self.seen += 1
        for option, value in Filter.values(inspection).items():
            self.values[option].add(value)
        if decision is None:
            return
        is_copy = decision.is_retry and inspection.key in self._retried
        acts = decision.acts and not is_copy
        self.counts.add(COPY if is_copy else str(decision), inspection, acts=acts)
        if acts:
            planned = Planned(inspection.cause, inspection.status, decision.is_retry)
            self.messages[inspection.message.message_id] = planned
            if inspection.key and decision.is_retry:
                self._retried.add(inspection.key)

    def unmatched(self, option: str, named: Collection[str]) -> list[str]:
        """Return the named values of an option that no visible message has."""
        return sorted(set(named) - self.existing(option)) if self.is_complete else []

    def existing(self, option: str) -> set[str]:
        """Return the values that an option can name."""
        return self.values["--cause" if option == "--fixed-cause" else option] - {""}

    def split(self) -> tuple[dict[str, Planned], dict[str, Planned]]:
        """Return the messages that are redriven first, and those that wait for their outcome."""
        first: dict[str, Planned] = {}
        rest: dict[str, Planned] = {}
        tried: Counter[str] = Counter()
        for message_id, planned in self.messages.items():
            is_first = not planned.is_retry or tried[planned.cause] < TRIAL_SIZE
            (first if is_first else rest)[message_id] = planned
            tried[planned.cause] += planned.is_retry
        return first, rest


@dataclass(frozen=True, slots=True)
class Retried:
    """A conversation that is processed again.

    Attributes:
        key: Its key.
        cause: Why its message was in the dead-letter queue.
        attempt: The number of its last lease before.
    """

    key: RecordKey
    cause: str
    attempt: int

    def outcome(self, record: ConversationRecord | None) -> str | None:
        """Return the failure code of the new attempt, empty without one; None if it is not over."""
        ledger = record.ledger if record else None
        if ledger is None:
            return None
        if ledger.status in GOT_THROUGH:
            return ""
        is_new_failure = ledger.status is Status.RETRY and ledger.attempt > self.attempt
        is_over = ledger.status in FAILED_AGAIN or (is_new_failure and ledger.failure_code)
        return ledger.failure_code or str(ledger.status) if is_over else None


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
        has_trial: Whether the others wait for the outcome of the first messages with their cause.
        clock: Returns epoch seconds.
    """

    console: Console
    scanner: QueueScanner
    inspector: Inspector
    action: Action[D]
    limiter: RateLimiter
    limit: int | None
    has_trial: bool = True
    clock: Callable[[], float] = time.time

    def run(self, *, dry_run: bool, yes: bool) -> None:
        """Survey the messages, ask, and apply the action.

        Decisions are made again when they are applied, on the records as they are then.

        Raises:
            Declined: The operator said no.
            OperatorError: Nothing could be seen, nothing was done, or the first messages with a
                cause have failed again.
            KeyboardInterrupt: The run was interrupted; the result so far is shown.
        """
        plan = self._survey()
        planned = plan.counts
        if dry_run or not (planned.acted and self.console.as_json):
            self._show(planned, "planned", plan)
        self._check(plan)
        if dry_run or not plan.seen:
            return
        staying = sum(planned.counts.values()) - planned.acted
        if not planned.acted:
            raise OperatorError(f"nothing was changed: {staying or 'all'} messages stay")
        rest = f" The other {staying} stay." if staying else ""
        self.console.confirm(f"Continue with {planned.acted} messages?{rest}", yes=yes)
        done = DecisionCounts()
        try:
            stopped = self._act(plan, done)
        finally:
            self._show(done, "done", plan)
        if stopped:
            causes = "\n".join(f"  {cause}: {why}" for cause, why in stopped.items())
            raise OperatorError(f"stopped, because the cause persists:\n{causes}\n{STOPPED}")
        if not done.acted:
            raise OperatorError("nothing was changed: other commands were faster, or have them")

    def _survey(self) -> Plan:
        plan = Plan()
        with self.console.progress() as progress:
            task = progress.add_task("inspecting", total=self.scanner.count())
            with closing(self.inspector.inspect_all(self.scanner)) as inspections:
                for inspection in inspections:
                    plan.add(inspection, self.action.decide(inspection))
                    progress.advance(task)
                    if self.limit is not None and plan.counts.acted >= self.limit:
                        plan.is_complete = False
                        break
            plan.in_flight = self.scanner.in_flight()
        self.scanner.release()
        return plan

    def _check(self, plan: Plan) -> None:
        """Check that the run is about what the operator meant.

        Raises:
            OperatorError: All messages are in flight, or none has any of an option's values.
        """
        if plan.in_flight:
            explanation = report.in_flight_text(plan.in_flight, self.clock())
            if not plan.seen:
                raise OperatorError(f"no message is visible: {explanation}")
            self.console.note(explanation)
        for option, named in self.action.criteria.items() if plan.seen else ():
            unmatched = plan.unmatched(option, named)
            texts = [_unmatched_text(option, each, plan.existing(option)) for each in unmatched]
            if texts and len(texts) == len(named):
                raise OperatorError("\n".join(texts))
            for text in texts:
                self.console.note(text)
        if not plan.is_complete:
            self.console.note(f"--limit {self.limit}: the other messages were not inspected")

    def _act(self, plan: Plan, done: DecisionCounts) -> Mapping[str, str]:
        """Act on the messages of a plan; return why those with a cause stay, by cause."""
        first, rest = plan.split() if self.has_trial else (plan.messages, {})
        retried = self._apply(first, done)
        if not rest:
            return {}
        waiting = {planned.cause for planned in rest.values()}
        tried = [each for each in retried if each.cause in waiting]
        stopped = self._failed_trials(waiting, tried)
        for planned in rest.values():
            if planned.cause in stopped:
                done.add(f"stays: {stopped[planned.cause]}", planned, acts=False)
        self._apply({i: each for i, each in rest.items() if each.cause not in stopped}, done)
        return stopped

    def _apply(self, chosen: Mapping[str, Planned], done: DecisionCounts) -> list[Retried]:
        """Apply the action to the chosen messages; return the conversations processed again."""
        remaining = dict(chosen)
        retried: list[Retried] = []
        with (
            self.console.progress() as progress,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="dead-letter") as pool,
        ):
            task = progress.add_task("processing", total=len(chosen))

            def handle(message: QueueMessage) -> Retried | None:
                found = self._handle(message, remaining.pop(message.message_id), done)
                progress.advance(task)
                return found

            try:
                batches = self.scanner.batches()
                while remaining and (batch := next(batches, None)):
                    ours = [each for each in batch if each.message_id in remaining]
                    retried += filter(None, pool.map(handle, ours))
            except BaseException:
                self.limiter.cancel()
                pool.shutdown(cancel_futures=True)
                raise
        self.scanner.release()
        for planned in remaining.values():
            done.add("stays: another command has received it", planned, acts=False)
        return retried

    def _handle(
        self, message: QueueMessage, planned: Planned, done: DecisionCounts
    ) -> Retried | None:
        inspection = self.inspector.inspect(message)
        decision = self.action.decide(inspection)
        if decision is None:  # what selected it has changed
            done.add(CHANGED, planned, acts=False)
            return None
        try:
            if decision.acts:
                self.action.apply(inspection, decision)
        except ConditionFailed:
            done.add(CHANGED, inspection, acts=False)
            return None
        done.add(str(decision), inspection, acts=decision.acts)
        if not (decision.is_retry and inspection.key):
            return None
        attempt = inspection.ledger.attempt if inspection.ledger else 0
        return Retried(inspection.key, planned.cause, attempt)

    def _failed_trials(self, causes: Collection[str], tried: list[Retried]) -> dict[str, str]:
        """Wait for the outcome of the first messages; return why a cause persists, by cause.

        A cause has passed as soon as one of them was sent, or its draft held.
        """
        outcomes: dict[RecordKey, str] = {}

        def read_persisting() -> set[str]:
            for each in tried:
                if each.key not in outcomes:
                    outcome = each.outcome(self.inspector.conversations.read(each.key))
                    if outcome is not None:
                        outcomes[each.key] = outcome
            return {
                cause
                for cause in causes
                if not any(outcomes.get(each.key) == "" for each in tried if each.cause == cause)
            }

        def is_final(persisting: set[str]) -> bool:
            return all(each.key in outcomes for each in tried if each.cause in persisting)

        self.console.note(
            f"{len(tried)} messages are redriven first: waiting until one with each cause is sent"
            f" ({', '.join(sorted(causes))})"
        )
        *_, persisting = poll(read_persisting, is_final, TRIAL_SECONDS, TRIAL_POLL_SECONDS, sleep)
        return {
            cause: _persisting_text([outcomes.get(e.key) for e in tried if e.cause == cause])
            for cause in sorted(persisting)
        }

    def _show(self, counts: DecisionCounts, title: str, plan: Plan) -> None:
        document = {title: counts.rows(), "acted": counts.acted}
        self.console.result(document | report.in_flight(plan.in_flight, self.clock()))
        self.console.heading(title)
        # If all messages are in flight, the run has ended with an error before.
        empty = "no messages are selected" if plan.seen else "no dead-letter messages"
        self.console.rows(counts.rows(), empty=empty)


def _unmatched_text(option: str, value: str, existing: Collection[str]) -> str:
    similar = get_close_matches(value, existing) or [e for e in existing if e.startswith(value)]
    shown = ", ".join(sorted(existing)[:MAX_SHOWN]) + (", …" if len(existing) > MAX_SHOWN else "")
    hint = f"did you mean {' or '.join(similar)}?" if similar else f"there are: {shown or 'none'}"
    return f"{option} {value}: no dead-letter message has this value; {hint}"


def _persisting_text(outcomes: list[str | None]) -> str:
    codes = Counter(code for code in outcomes if code)
    if not codes:
        return f"none of the first {len(outcomes)} has an outcome yet"
    again = ", ".join(f"{number} with {code}" for code, number in codes.most_common())
    return f"of the first {len(outcomes)} none was sent: {again}"
