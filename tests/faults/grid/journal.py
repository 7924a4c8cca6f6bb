"""What happened in a world, call by call."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

from tests.faults.grid.calls import Attempt, CallName


class Happening(StrEnum):
    """What may become of a call."""

    ARRIVED = "arrived"
    APPLIED = "reached the service"
    ANSWERED = "answered"
    LOST = "not answered"


@dataclass(frozen=True, slots=True)
class RecordState:
    """What a conversation's record says, at one moment; nothing personal.

    Attributes:
        status: `conversation_status`; None if there is no record.
        owner: Who holds the lease.
        sid: The message's.
        has_answer: Whether the AI's answer is kept.
        failure: Code of its failure.
        fingerprint: Changes with anything in it.
    """

    status: str | None = None
    owner: str = ""
    sid: str = ""
    has_answer: bool = False
    failure: str = ""
    fingerprint: str = ""

    @classmethod
    def of(cls, item: Mapping[str, Any] | None) -> "RecordState":
        """Read a record in the form in which DynamoDB gives it."""
        if item is None:
            return cls()

        def text(name: str) -> str:
            return str(item.get(name, {}).get("S", ""))

        failure = item.get("failure", {}).get("M", {}).get("code", {}).get("S", "")
        return cls(
            status=text("conversation_status"),
            owner=text("lease_owner"),
            sid=text("message_sid"),
            has_answer="ai_answer" in item or bool(item.get("messages", {}).get("L")),
            failure=failure,
            fingerprint=hashlib.sha1(  # noqa: S324 - to compare, not to protect
                json.dumps(item, sort_keys=True).encode()
            ).hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        at: When, in seconds since the world began.
        attempt: To which request.
        what: What happened to it.
        before: The record before.
        after: The record after.
        status: HTTP status, where there is an answer.
    """

    at: float
    attempt: Attempt
    what: Happening
    before: RecordState
    after: RecordState
    status: int = 0

    def __str__(self) -> str:
        change = f"  [{self.change}]" if self.before != self.after else ""
        answer = f" {self.status}" if self.status else ""
        again = f" (attempt {self.attempt.number})" if self.attempt.number > 1 else ""
        who = f"worker {self.worker}  {self.call}{again}"
        return f"{self.at:8.1f}s  {who} {self.what}{answer}{change}"

    @property
    def worker(self) -> int:
        """Whose request it was, from 1."""
        return self.attempt.worker

    @property
    def call(self) -> CallName:
        """Which call it made."""
        return self.attempt.call

    def is_just(self, answer: "Event") -> bool:
        """Whether that answer is the service's own, given at once."""
        is_same = (self.at, self.status) == (answer.at, answer.status)
        return self.what is Happening.APPLIED and is_same

    @property
    def change(self) -> str:
        """What became of the record, in a word or two; empty if nothing."""
        if self.before == self.after:
            return ""
        if self.before.status != self.after.status:
            return f"{self.before.status or 'no record'} -> {self.after.status}"
        if self.before.owner != self.after.owner:
            return f"{self.after.status}: taken over"
        return f"{self.after.status}: updated"


class Journal:
    """Everything that happened, in order; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        """Write down one thing more."""
        with self._lock:
            self._events.append(event)

    @property
    def events(self) -> tuple[Event, ...]:
        """All of it so far."""
        with self._lock:
            return tuple(self._events)

    def story(self) -> tuple[str, ...]:
        """What happened, in lines; what goes without saying is left out."""
        shown: list[Event] = []
        for event in self.events:
            before = next((e for e in reversed(shown) if e.attempt == event.attempt), None)
            if event.what is Happening.ANSWERED and before and before.is_just(event):
                continue
            if event.what is Happening.APPLIED and before and before.at == event.at:
                shown.remove(before)
            shown.append(event)
        return tuple(map(str, shown))
