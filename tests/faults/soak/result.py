"""What a soak has come to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.faults.judged import Judged, Verdict
from tests.faults.soak.reconciliation import Violation


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What went wrong.

    Attributes:
        kills: processes of the function that got SIGKILL.
        freezes: those that were stopped for longer than a lease.
        interrupted: invocations that ended with their process, in the middle of a batch.
        cut_short: invocations that ended with their process before they took their batch.
        faults: requests that failed by order, by who failed and how.
    """

    kills: int = 0
    freezes: int = 0
    interrupted: int = 0
    cut_short: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How it was made good.

    Attributes:
        takeovers: conversations taken over from a worker whose lease had lapsed, each time.
        settled: sends of unknown outcome that were found at the vendor.
        unknown: those that were not found and declared `send_unknown`, each time it was said.
        recorded_by_person: of these, found at the vendor by the person on duty.
        released_by_person: of these, released to be sent.
        dead_letters: messages that got into the dead-letter queue, each time.
        dead_unsaid: of these, those whose record gives no reason: every delivery's worker died.
        redriven: dead letters put on the queue again, each time.
        critical: lines at CRITICAL, by event.
    """

    takeovers: int = 0
    settled: int = 0
    unknown: int = 0
    recorded_by_person: int = 0
    released_by_person: int = 0
    dead_letters: int = 0
    dead_unsaid: int = 0
    redriven: int = 0
    critical: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SoakResult(Judged):
    """Counts and violations; the seed and the number of messages are what repeats it.

    Attributes:
        seed: what decided all that was not left to time.
        messages: conversations.
        seconds: how long it took, without starting the local cloud.
        arrivals: queue messages, duplicates included, redriven ones not.
        duplicates: context objects that were put on the queue once more.
        sent: conversations whose message the vendor accepted.
        refused: those that were refused for good, as planned.
        storm: what went wrong.
        recovery: how it was made good.
        violations: what must not be.
    """

    seed: int
    messages: int
    seconds: float
    arrivals: int
    duplicates: int
    sent: int
    refused: int
    storm: Storm
    recovery: Recovery
    violations: tuple[Violation, ...]

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """The verdict on each conversation, and each alarm, of which something must not be."""
        return ((violation.rules, violation.is_unresolved) for violation in self.violations)
