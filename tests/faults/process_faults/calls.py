"""A worker's outside calls, the faults that can be injected into them, and what happened."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any, NamedTuple

from werkzeug.wrappers import Request

from tests.faults.rules import History

TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
"""AWS's services by the first part of the header `X-Amz-Target`."""
VENDORS = frozenset({"openai", "twilio"})
_ID = re.compile(r"[a-z]+_\w+|[A-Z]{2}[0-9a-f]{32}")

HEARTBEAT = "sqs.ChangeMessageVisibility"
"""Beginning of the names of the calls that keep a message invisible."""
GENERATIONS = ("openai.POST responses", "openai.POST runs")
"""The calls that are billed: the AI is asked to write."""
SEND = "twilio.POST Messages"


class CallName(NamedTuple):
    """One call of a worker; its text is like `dynamodb.UpdateItem#2`."""

    kind: str  # the service, and AWS's operation or method and resource
    number: int  # counts the calls of that kind, from 1; the SDK's retries do not count

    def __str__(self) -> str:
        return f"{self.kind}#{self.number}"

    @property
    def service(self) -> str:
        return self.kind.partition(".")[0]

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing."""
        return self.kind.partition(".")[2].startswith(("Get", "Query", "GET "))

    @classmethod
    def parse(cls, text: str) -> "CallName":
        """Read what `str` writes.

        Raises:
            ValueError: The text is no call's name.
        """
        found = re.fullmatch(r"(\w+\..+)#(\d+)", text)
        if not found:
            raise ValueError(f"boundary: expected service.operation#number, found {text!r}")
        return cls(found[1], int(found[2]))


FIRST_HEARTBEAT = CallName(f"{HEARTBEAT}Batch", 1)


class Attempt(NamedTuple):
    """One request of a worker: `number` counts the SDK's attempts at that call, from 1."""

    worker: int
    call: CallName
    number: int = 1


class CallCounter:
    """Names the calls of one worker in the order of their arrival."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._known: dict[str, CallName] = {}
        self._attempts: Counter[str] = Counter()

    def name(self, request: Request) -> Attempt:
        kind, invocation = _kind(request), request.headers.get("amz-sdk-invocation-id", "")
        with self._lock:
            if invocation not in self._known or not invocation:
                self._calls[kind] += 1
                self._known[invocation] = CallName(kind, self._calls[kind])
                self._attempts[invocation] = 0
            self._attempts[invocation] += 1
            return Attempt(self._worker, self._known[invocation], self._attempts[invocation])


def _kind(request: Request) -> str:
    if target := request.headers.get("X-Amz-Target"):
        service, _, operation = target.partition(".")
        return f"{TARGETS[service]}.{operation}"
    vendor = "twilio" if request.path.startswith("/2010-04-01/") else "openai"
    words = [part for part in request.path.split("/") if part and not _ID.fullmatch(part)]
    return f"{vendor}.{request.method} {words[-1].removesuffix('.json')}"


class Fault(StrEnum):
    """What goes wrong at an outside call."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    SERVER_ERROR = "server error"
    ERROR_YET_DONE = "server error, yet done"
    REFUSED = "refused"
    CREDENTIALS = "credentials refused"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    ANSWER_LOST = "answer lost"
    ANSWER_LOST_ONCE = "answer lost once"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"


class Redelivery(StrEnum):
    """How the message is delivered besides."""

    ALONE = "alone"
    REDELIVERED = "redelivered"
    CONCURRENT = "concurrent duplicate"
    LATE = "late duplicate"


KILLS = frozenset({Fault.KILLED_BEFORE, Fault.KILLED_AFTER})
FREEZES = frozenset({Fault.FROZEN_BEFORE, Fault.FROZEN_AFTER})
ERRORS = frozenset(
    {Fault.SERVER_ERROR, Fault.ERROR_YET_DONE, Fault.REFUSED, Fault.CREDENTIALS, Fault.THROTTLED}
)
"""Faults that are an answer of the service."""
_VENDORS_ONLY = frozenset({Fault.ERROR_YET_DONE, Fault.CREDENTIALS})
_AWS_ONLY = frozenset({Fault.ANSWER_LOST_ONCE})
"""AWS's SDK repeats a call whose answer was lost; the vendors' SDKs do not."""
_WRITES_ONLY = frozenset(
    {Fault.KILLED_AFTER, Fault.ERROR_YET_DONE, Fault.ANSWER_LOST_ONCE, Fault.FROZEN_AFTER}
)
"""For a call without an effect, these are the same as other faults."""


def is_applicable(fault: Fault, call: CallName) -> bool:
    """Return whether a fault can happen at a call, and is not the same there as another one."""
    if fault in _WRITES_ONLY and call.is_read:
        return False
    return fault not in (_AWS_ONLY if call.service in VENDORS else _VENDORS_ONLY)


class Happening(StrEnum):
    ARRIVED = "arrived"
    APPLIED = "reached the service"
    ANSWERED = "answered"
    LOST = "not answered"


@dataclass(frozen=True, slots=True)
class RecordState:
    """A conversation's record at one moment, without personal data."""

    status: str | None = None  # None if there is no record
    owner: str = ""  # of the lease
    sid: str = ""
    has_answer: bool = False  # whether the AI's is stored
    has_rejected_draft: bool = False  # whether the problems of the AI's first answer are stored
    failure: str = ""  # its code
    fingerprint: str = ""  # changes with any attribute

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
            has_rejected_draft="rejected_draft" in item,
            failure=item.get("failure", {}).get("M", {}).get("code", {}).get("S", ""),
            fingerprint=hashlib.sha1(content).hexdigest(),  # noqa: S324 - to compare, not to protect
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a request, `at` seconds after the run began."""

    at: float
    attempt: Attempt
    what: Happening
    before: RecordState
    after: RecordState
    status: int = 0  # of the HTTP answer, where there is one

    def __str__(self) -> str:
        is_changed = self.before != self.after
        change = f"  [{self.before.status} → {self.after.status}]" if is_changed else ""
        answer = f" {self.status}" if self.status else ""
        again = f" (attempt {self.attempt.number})" if self.attempt.number > 1 else ""
        who = f"worker {self.worker}  {self.call}{again}"
        return f"{self.at:8.1f}s  {who} {self.what}{answer}{change}"

    @property
    def worker(self) -> int:
        return self.attempt.worker

    @property
    def call(self) -> CallName:
        return self.attempt.call


def history_of(events: Iterable[Event]) -> History:
    """Return what the workers did, as far as the rules depend on its order."""
    history = History()
    for event in events:
        if event.call.kind in GENERATIONS:
            _note_generation(history, event)
        if event.what is Happening.APPLIED:
            _note_effect(history, event)
    return history


def _note_generation(history: History, event: Event) -> None:
    if event.what is Happening.ARRIVED:
        history.count_answers(str(event.worker))
        history.asked(str(event.worker), has_answer=event.before.has_answer)
    elif event.what is Happening.ANSWERED and event.status < 300:
        history.answered(str(event.worker))


def _note_effect(history: History, event: Event) -> None:
    worker, before, after = str(event.worker), event.before, event.after
    if after.owner != before.owner:
        history.acquired(worker, has_answer=before.has_answer)
    elif _needs_lease(event):
        history.acted(worker, str(event))
    if after.has_rejected_draft and not before.has_rejected_draft:
        history.count_answers(worker)
    if after.has_answer and not before.has_answer:
        history.stored(worker)


def _needs_lease(event: Event) -> bool:
    if event.call.kind == SEND:
        return event.status < 300
    writes_message_sid = bool(event.after.sid and not event.before.sid)
    return event.before != event.after and not writes_message_sid
