"""What a worker asks of the world: the name of each of its calls."""

import re
from collections import Counter
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from werkzeug.wrappers import Request

_TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
AWS_SERVICES: tuple[Literal["dynamodb", "sqs", "secretsmanager"], ...] = (
    "dynamodb",
    "sqs",
    "secretsmanager",
)
_TWILIO = "/2010-04-01/"
_ID = re.compile(r"[a-z]+_\w+|[A-Z]{2}[0-9a-f]{32}")
_SUFFIX = re.compile(r"\.json$")

BEAT = "sqs.ChangeMessageVisibility"
"""How the calls are called that keep a message invisible."""
FIRST_BEAT = f"{BEAT}Batch#1"
"""The call with which our heartbeat begins."""
GENERATIONS = ("openai.POST responses", "openai.POST runs")
"""The calls that are billed: the AI is asked to write."""
SEND = "twilio.POST Messages"
READS = ("Get", "Query", "GET ")
"""How the names of operations begin that change nothing."""


@dataclass(frozen=True, slots=True)
class CallName:
    """One call of a worker; its text is like `dynamodb.UpdateItem#2`.

    Attributes:
        service: Who is asked.
        operation: What for: AWS's own word, or method and resource.
        number: The how-many-eth call of that name, from 1; repetitions by the SDK do not count.
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
        """Whether it changes nothing."""
        return self.operation.startswith(READS)

    @classmethod
    def parse(cls, text: str) -> "CallName":
        """Read what `str` makes of one.

        Raises:
            ValueError: It is none.
        """
        found = re.fullmatch(r"(\w+)\.(.+)#(\d+)", text)
        if not found:
            raise ValueError(f"boundary: expected service.operation#number, found {text!r}")
        return cls(found[1], found[2], int(found[3]))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that a worker makes.

    Attributes:
        worker: The worker's number.
        call: Its call.
        number: The how-many-eth try of the SDK at that call, from 1.
    """

    worker: int
    call: CallName
    number: int = 1


class Numbering:
    """Gives the calls of one worker their names, in the order of arrival."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._lock = Lock()
        self._count: Counter[str] = Counter()
        self._known: dict[str, CallName] = {}
        self._attempts: Counter[str] = Counter()

    def name(self, request: Request) -> Attempt:
        """What a request is."""
        service, operation = _meaning(request)
        invocation = request.headers.get("amz-sdk-invocation-id", "")
        with self._lock:
            if invocation not in self._known or not invocation:
                self._count[f"{service}.{operation}"] += 1
                number = self._count[f"{service}.{operation}"]
                self._known[invocation] = CallName(service, operation, number)
                self._attempts[invocation] = 0
            self._attempts[invocation] += 1
            return Attempt(self._worker, self._known[invocation], self._attempts[invocation])


def service_of(target: str) -> str:
    """Which of AWS's services a header `X-Amz-Target` is for."""
    return _TARGETS[target.partition(".")[0]]


def _meaning(request: Request) -> tuple[str, str]:
    target = request.headers.get("X-Amz-Target")
    if target:
        return service_of(target), target.partition(".")[2]
    service = "twilio" if request.path.startswith(_TWILIO) else "openai"
    words = [part for part in request.path.split("/") if part and not _ID.fullmatch(part)]
    return service, f"{request.method} {_SUFFIX.sub('', words[-1])}"
