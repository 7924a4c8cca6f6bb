"""What happened in a run, call by call."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

from tests.faults.process_faults.calls import GENERATIONS, SEND, Attempt, CallName
from tests.faults.rules import History


class Happening(StrEnum):
    """What may happen to a request."""

    ARRIVED = "arrived"
    APPLIED = "reached the service"
    ANSWERED = "answered"
    LOST = "not answered"


@dataclass(frozen=True, slots=True)
class RecordState:
    """A conversation's record at one moment, without personal data.

    Attributes:
        status: `conversation_status`; None if there is no record.
        owner: The lease's owner.
        sid: The message's sid.
        has_answer: Whether the AI's answer is stored.
        failure: Code of its failure.
        fingerprint: Changes with any attribute.
    """

    status: str | None = None
    owner: str = ""
    sid: str = ""
    has_answer: bool = False
    failure: str = ""
    fingerprint: str = ""

    @classmethod
    def of(cls, item: Mapping[str, Any] | None) -> "RecordState":
        """Read an item in DynamoDB's JSON."""
        if item is None:
            return cls()

        def text(name: str) -> str:
            return str(item.get(name, {}).get("S", ""))

        content = json.dumps(item, sort_keys=True).encode()
        return cls(
            status=text("conversation_status"),
            owner=text("lease_owner"),
            sid=text("message_sid"),
            has_answer="ai_answer" in item or bool(item.get("messages", {}).get("L")),
            failure=item.get("failure", {}).get("M", {}).get("code", {}).get("S", ""),
            fingerprint=hashlib.sha1(content).hexdigest(),  # noqa: S324 - to compare, not to protect
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a request.

    Attributes:
        at: Seconds since the run began.
        attempt: The request.
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
        """The worker's number."""
        return self.attempt.worker

    @property
    def call(self) -> CallName:
        """The call's name."""
        return self.attempt.call

    @property
    def change(self) -> str:
        """How the record changed, in a few words."""
        if self.before.status != self.after.status:
            return f"{self.before.status or 'no record'} -> {self.after.status}"
        if self.before.owner != self.after.owner:
            return f"{self.after.status}: taken over"
        return f"{self.after.status}: updated"

    def is_answered_at_once(self, answer: "Event") -> bool:
        """Return whether that answer is the service's own, without a delay."""
        is_same = (self.at, self.status) == (answer.at, answer.status)
        return self.what is Happening.APPLIED and is_same


class Journal:
    """Everything that happened, in order; may be used by every thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        """Add an event."""
        with self._lock:
            self._events.append(event)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events so far."""
        with self._lock:
            return tuple(self._events)

    def trace(self) -> tuple[str, ...]:
        """Return the events as lines, without those that follow from another one."""
        shown: list[Event] = []
        for event in self.events:
            before = next((e for e in reversed(shown) if e.attempt == event.attempt), None)
            if event.what is Happening.ANSWERED and before and before.is_answered_at_once(event):
                continue
            if event.what is Happening.APPLIED and before and before.at == event.at:
                shown.remove(before)
            shown.append(event)
        return tuple(map(str, shown))

    def history(self) -> History:
        """Return what the workers did, as far as the rules depend on its order."""
        history = History()
        for event in self.events:
            worker, before, after = str(event.worker), event.before, event.after
            if event.what is Happening.ARRIVED and event.call.kind in GENERATIONS:
                history.asked(worker, has_answer=before.has_answer)
            if event.what is not Happening.APPLIED:
                continue
            if after.owner != before.owner:
                history.acquired(worker, has_answer=before.has_answer)
            elif _needs_lease(event):
                history.acted(worker, str(event))
            if after.has_answer and not before.has_answer:
                history.stored(worker)
        return history


def _needs_lease(event: Event) -> bool:
    if event.call.kind == SEND:
        return event.status < 300
    writes_message_sid = bool(event.after.sid and not event.before.sid)
    return event.before != event.after and not writes_message_sid
