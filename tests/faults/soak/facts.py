"""What a soak leaves behind, conversation by conversation and alarm by alarm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.rules import Place
from tests.faults.soak.ledger_writes import Write
from tests.faults.soak.mail import Letter
from tests.faults.soak.plan import Fate


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One conversation, at the end.

    Attributes:
        conversation_id: its id.
        fate: what should have become of it.
        sids: its messages that the vendor accepted, oldest first.
        letters: its queue messages, each with its place.
        record: its record; empty if there is none.
        releases: how often the person on duty let it be sent after all.
        writes: the workers' writes to its record that were applied.
        asks: how often the AI was asked for its text, with credentials that it took.
        sends: when the vendor was asked to send it.
        critical: events of the lines at CRITICAL about it.
        unacknowledged: ids of the queue messages that are deleted although no line says why.
    """

    conversation_id: str
    fate: Fate = Fate.SENT
    sids: tuple[str, ...] = ()
    letters: tuple[Letter, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    releases: int = 0
    writes: tuple[Write, ...] = ()
    asks: int = 0
    sends: tuple[float, ...] = ()
    critical: tuple[str, ...] = ()
    unacknowledged: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where its queue messages are."""
        return tuple(letter.place for letter in self.letters)

    @property
    def status(self) -> str | None:
        """The record's `conversation_status`."""
        return self.record.get("conversation_status")

    @property
    def reason(self) -> str:
        """Why the record says that it failed; empty if it does not."""
        return str(self.record.get("failure", {}).get("code", ""))


@dataclass(frozen=True, kw_only=True)
class AlarmFacts:
    """What became of the lines at CRITICAL with one event.

    Attributes:
        event: the lines' event.
        lines: how many there are.
        counted: what the metrics behind them add up to; the least, where there are several.
        notified: the alarms over those metrics that told the topic's subscribers.
    """

    event: str
    lines: int
    counted: float
    notified: tuple[str, ...]
