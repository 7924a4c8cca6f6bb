"""In-memory implementations of the core's ports, with visible state and planned faults."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from threading import Lock
from typing import Generic, TypeVar

from lambda_src.core.contract import Kind, Metric, Step
from lambda_src.core.errors import (
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    SendOutcomeUnknown,
)
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    GenerationRequest,
    OutgoingMessage,
    Usage,
)
from lambda_src.services.secret_schemas import TwilioCredentials

T = TypeVar("T")

ANSWER = Answer(
    thread_id="conv_1",
    message_id="resp_1",
    created_at="2027-01-15T08:00:00.000+00:00",
    text="",
    variables={"1": "Amara", "2": "Harbour Logistics here: when may we call?"},
    usage=Usage(120, 40, 160),
)


class Fault(Enum):
    """How a write to the fake conversations table fails."""

    UNAVAILABLE = auto()
    """Not applied; raises `LedgerUnavailable`."""
    REFUSED = auto()
    """Not applied; raises `LedgerRefused`."""
    TOO_LARGE = auto()
    """Not applied; raises `PermanentFailure`."""
    ANSWER_LOST = auto()
    """Applied; raises `LedgerUnavailable`."""
    REPEATED = auto()
    """Applied; the answer is lost, and the SDK repeats the write."""
    UNEXPECTED = auto()
    """Not applied; raises `UnexpectedTestError`."""


class UnexpectedTestError(Exception):
    """An error that no code expects; its text contains what must not be logged."""

    def __init__(self) -> None:
        super().__init__("+15550100123 sk-unforeseen 'Good morning Amara'")


class FaultPlan(Generic[T]):
    """The faults of the next calls, by the call's name."""

    def __init__(self) -> None:
        self._next: defaultdict[str, deque[T]] = defaultdict(deque)
        self._lock = Lock()

    def add(self, call: str, fault: T, times: int = 1) -> None:
        """Let the next calls of that name fail."""
        self._next[call].extend([fault] * times)

    def pop(self, call: str) -> T | None:
        """Return the fault of this call, if any."""
        with self._lock:
            return self._next[call].popleft() if self._next[call] else None


class CachedValues(Generic[T]):
    """Values by reference; a changed one is seen by a fresh read only."""

    def __init__(self) -> None:
        self.stored: dict[str, T] = {}
        self._cached: dict[str, T] = {}
        self._lock = Lock()

    def read(self, reference: str, *, fresh: bool) -> T:
        """Return the value that was read last, or the stored one."""
        with self._lock:
            if fresh or reference not in self._cached:
                if reference not in self.stored:
                    raise PermanentFailure("secret_missing", Step.SECRETS)
                self._cached[reference] = self.stored[reference]
            return self._cached[reference]


class FakeSecrets:
    """Implements the port `Secrets`.

    `fresh_reads` has the secrets that were read past the cache; `during` is called by every read.
    """

    def __init__(self) -> None:
        self.openai_keys: CachedValues[str] = CachedValues()
        self.twilio_credentials: CachedValues[TwilioCredentials] = CachedValues()
        self.fresh_reads: list[str] = []
        self.during: Callable[[], object] = lambda: None
        self._faults: FaultPlan[Exception] = FaultPlan()

    def fail(self, call: str, error: Exception) -> None:
        """Let the next read of that name fail."""
        self._faults.add(call, error)

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """Return the OpenAI API key."""
        self._begin("openai_key", reference, fresh=fresh)
        return self.openai_keys.read(reference, fresh=fresh)

    def credentials(self, reference: str, *, fresh: bool = False) -> TwilioCredentials:
        """Return the Twilio credentials."""
        self._begin("credentials", reference, fresh=fresh)
        return self.twilio_credentials.read(reference, fresh=fresh)

    def _begin(self, call: str, reference: str, *, fresh: bool) -> None:
        self.during()
        if fresh:
            self.fresh_reads.append(reference)
        if error := self._faults.pop(call):
            raise error


class FakeTextGenerator:
    """Implements the port `TextGenerator`; `billed` has every request that was answered."""

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key
        self.answer = ANSWER
        self.billed: list[GenerationRequest] = []
        self.during: Callable[[GenerationRequest], object] = lambda _: None
        self._faults: FaultPlan[Exception] = FaultPlan()

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next requests fail."""
        self._faults.add("generate", error, times)

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Answer, if the key is the right one."""
        if api_key != self.api_key:
            raise CredentialsRefused("openai_401", Step.AI)
        self.during(request)
        if error := self._faults.pop("generate"):
            raise error
        self.billed.append(request)
        return replace(self.answer)


class FakeAssistants:
    """Implements the port `Assistants` with the definitions in it."""

    def __init__(self) -> None:
        self.definitions: dict[str, AssistantDefinition] = {}

    def find(self, assistant_id: str) -> AssistantDefinition | None:
        """Return the definition of that id, or None."""
        return self.definitions.get(assistant_id)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the vendor accepted, and when (epoch seconds)."""

    sid: str
    message: OutgoingMessage
    at: float

    def is_same(self, message: OutgoingMessage) -> bool:
        """Return whether numbers, text and variables are equal; the vendor lists no template."""
        return replace(self.message, template_sid="") == replace(message, template_sid="")


class FakeSender:
    """Implements the port `Sender`.

    `sent` has the accepted messages, `attempts` counts the requests to send, `is_listing` is
    whether the vendor's list is up to date, `during` is called by every send.
    """

    def __init__(self, clock: Callable[[], float], auth_token: str) -> None:
        self.auth_token = auth_token
        self.sent: list[SentMessage] = []
        self.attempts = 0
        self.is_listing = True
        self.during: Callable[[], object] = lambda: None
        self._clock = clock
        self._faults: FaultPlan[Exception] = FaultPlan()
        self._lost_answers: FaultPlan[bool] = FaultPlan()

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next sends fail before anything is accepted."""
        self._faults.add("send", error, times)

    def fail_lookup(self, error: Exception) -> None:
        """Let the next lookup fail."""
        self._faults.add("find", error)

    def lose_answer(self) -> None:
        """Let the next send be accepted, and its answer be lost."""
        self._lost_answers.add("send", fault=True)

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Accept a message, unless a fault is planned."""
        self.attempts += 1
        self.during()
        self._begin("send", credentials)
        sid = f"SM{len(self.sent) + 1:032d}"
        self.sent.append(SentMessage(sid, message, self._clock()))
        if self._lost_answers.pop("send"):
            raise SendOutcomeUnknown("twilio_answer_lost", Step.SEND)
        return sid

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """Return the sids of that message since then, if the list is up to date."""
        self._begin("find", credentials)
        found = tuple(sent.sid for sent in self.sent if sent.at >= since and sent.is_same(message))
        return found if self.is_listing else ()

    def _begin(self, call: str, credentials: TwilioCredentials) -> None:
        if error := self._faults.pop(call):
            raise error
        if credentials.auth_token != self.auth_token:
            raise CredentialsRefused("twilio_20003", Step.SEND)


class FakeQueue:
    """Implements the port `Queue`; `delays` has seconds by receipt handle.

    It shares `journal` with the heartbeat, so that tests see the order of their calls.
    """

    def __init__(self, journal: list[str]) -> None:
        self.delays: dict[str, int] = {}
        self.max_receives = 10
        self.error: ProcessingError | None = None
        self._journal = journal

    def change_visibility(self, seconds: Mapping[str, int]) -> None:
        """Set when messages are visible again."""
        self._journal.append("visibility changed")
        self.delays.update(seconds)

    def max_receive_count(self) -> int:
        """Return how many receives the queue allows."""
        if self.error:
            raise self.error
        return self.max_receives


class FakeHeartbeat:
    """Implements the port `Heartbeat`; it beats when `beat` is called."""

    def __init__(self, journal: list[str]) -> None:
        self.receipt_handles: dict[str, str] = {}
        self.failed_ids: frozenset[str] = frozenset()
        self.leases: dict[str, Callable[[], None]] = {}
        self.renewal_errors: list[Exception] = []
        self._journal = journal

    def for_messages(self, receipt_handles: Mapping[str, str]) -> "FakeHeartbeat":
        """Return the heartbeat for the messages of one batch."""
        self.receipt_handles = dict(receipt_handles)
        return self

    def start(self) -> None:
        """Start."""
        self._journal.append("heartbeat started")

    def stop(self) -> frozenset[str]:
        """Stop, and return the ids of the messages whose heartbeat failed."""
        self._journal.append("heartbeat stopped")
        return self.failed_ids

    @contextmanager
    def renewing(self, message_id: str, renew: Callable[[], None]) -> Iterator[None]:
        """Renew that lease with each beat inside the context."""
        self.leases[message_id] = renew
        try:
            yield
        finally:
            del self.leases[message_id]

    def beat(self) -> None:
        """Renew every lease, and keep the errors."""
        for renew in list(self.leases.values()):
            try:
                renew()
            except Exception as error:  # noqa: BLE001 - like the real heartbeat
                self.renewal_errors.append(error)


class FakeMetrics:
    """Implements the port `Metrics`: `values` was recorded, the rest published."""

    def __init__(self) -> None:
        self.values: defaultdict[Metric, list[float]] = defaultdict(list)
        self.counts: dict[Metric, int] = {}
        self.failures: dict[tuple[Step, Kind], int] = {}
        self.published = 0
        self._lock = Lock()

    def record(self, values: Mapping[Metric, float]) -> None:
        """Add one value to each metric's distribution."""
        with self._lock:
            for metric, value in values.items():
                self.values[metric].append(value)

    def publish(
        self, counts: Mapping[Metric, int], failures: Mapping[tuple[Step, Kind], int]
    ) -> None:
        """Keep the numbers of this batch."""
        self.published += 1
        self.counts, self.failures = dict(counts), dict(failures)
