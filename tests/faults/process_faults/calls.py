"""A worker's outside calls, and the faults that can be injected into them."""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Literal

from werkzeug.wrappers import Request

AWS_SERVICES: tuple[Literal["dynamodb", "sqs", "secretsmanager"], ...] = (
    "dynamodb",
    "sqs",
    "secretsmanager",
)
VENDORS = frozenset({"openai", "twilio"})
_TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
_TWILIO = "/2010-04-01/"
_ID = re.compile(r"[a-z]+_\w+|[A-Z]{2}[0-9a-f]{32}")

HEARTBEAT = "sqs.ChangeMessageVisibility"
"""Beginning of the names of the calls that keep a message invisible."""
FIRST_HEARTBEAT = f"{HEARTBEAT}Batch#1"
GENERATIONS = ("openai.POST responses", "openai.POST runs")
"""The calls that are billed: the AI is asked to write."""
SEND = "twilio.POST Messages"


@dataclass(frozen=True, slots=True)
class CallName:
    """One call of a worker; its text is like `dynamodb.UpdateItem#2`.

    Attributes:
        service: The service that is called.
        operation: AWS's operation, or method and resource.
        number: Counts the calls of that kind, from 1; the SDK's retries do not count.
    """

    service: str
    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}#{self.number}"

    @property
    def kind(self) -> str:
        """The name without its number."""
        return f"{self.service}.{self.operation}"

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing."""
        return self.operation.startswith(("Get", "Query", "GET "))

    @classmethod
    def parse(cls, text: str) -> "CallName":
        """Read what `str` writes.

        Raises:
            ValueError: The text is no call's name.
        """
        found = re.fullmatch(r"(\w+)\.(.+)#(\d+)", text)
        if not found:
            raise ValueError(f"boundary: expected service.operation#number, found {text!r}")
        return cls(found[1], found[2], int(found[3]))


@dataclass(frozen=True, slots=True)
class Attempt:
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
        """Return the call that a request is an attempt at."""
        service, operation = _operation(request)
        invocation = request.headers.get("amz-sdk-invocation-id", "")
        with self._lock:
            if invocation not in self._known or not invocation:
                kind = f"{service}.{operation}"
                self._calls[kind] += 1
                self._known[invocation] = CallName(service, operation, self._calls[kind])
                self._attempts[invocation] = 0
            self._attempts[invocation] += 1
            return Attempt(self._worker, self._known[invocation], self._attempts[invocation])


def service_of(target: str) -> str:
    """Return the AWS service that a header `X-Amz-Target` names."""
    return _TARGETS[target.partition(".")[0]]


def _operation(request: Request) -> tuple[str, str]:
    if target := request.headers.get("X-Amz-Target"):
        return service_of(target), target.partition(".")[2]
    service = "twilio" if request.path.startswith(_TWILIO) else "openai"
    words = [part for part in request.path.split("/") if part and not _ID.fullmatch(part)]
    return service, f"{request.method} {words[-1].removesuffix('.json')}"


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
    {
        Fault.SERVER_ERROR,
        Fault.ERROR_YET_DONE,
        Fault.REFUSED,
        Fault.CREDENTIALS,
        Fault.THROTTLED,
    }
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
