"""In-memory implementations of the core's ports, with visible state and planned faults."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Generic, TypeVar

from lambda_src.core.contract import Step
from lambda_src.core.errors import (
    ConfigurationRefused,
    CredentialsRefused,
    SendOutcomeUnknown,
)
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    Engine,
    GenerationRequest,
    OutgoingMessage,
    Usage,
)
from lambda_src.services.secrets_manager_service import TwilioCredentials

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

    UNAVAILABLE = auto()  # not applied; raises `LedgerUnavailable`
    REFUSED = auto()  # not applied; raises `LedgerRefused`
    TOO_LARGE = auto()  # not applied; raises `PermanentFailure`
    ANSWER_LOST = auto()  # applied; raises `LedgerUnavailable`
    REPEATED = auto()  # applied; the answer is lost, and the SDK repeats the write
    UNEXPECTED = auto()  # not applied; raises `UnexpectedTestError`


class UnexpectedTestError(Exception):
    """An error that no code expects; its text contains what must not be logged."""

    def __init__(self) -> None:
        super().__init__("+15550100123 sk-unforeseen 'Good morning Amara'")


class FaultPlan(Generic[T]):
    """The faults of the next calls, by the call's name."""

    def __init__(self) -> None:
        self._next: defaultdict[str, deque[T]] = defaultdict(deque)

    def add(self, call: str, fault: T, times: int = 1) -> None:
        """Let the next calls of that name fail."""
        self._next[call].extend([fault] * times)

    def pop(self, call: str) -> T | None:
        """Return the fault of this call, if any."""
        with suppress(IndexError):
            return self._next[call].popleft()
        return None


class _CachedValues(Generic[T]):
    """Values by reference; a changed one is seen by a fresh read only."""

    def __init__(self) -> None:
        self.stored: dict[str, T] = {}
        self._cached: dict[str, T] = {}

    def read(self, reference: str, *, fresh: bool) -> T:
        if fresh or reference not in self._cached:
            if reference not in self.stored:
                raise ConfigurationRefused("secret_missing", Step.SECRETS)
            self._cached[reference] = self.stored[reference]
        return self._cached[reference]

    def expire(self) -> None:
        """Forget what was cached."""
        self._cached.clear()


class FakeSecrets:
    """Implements the port `Secrets`.

    `fresh_reads` has the secrets that were read past the cache; `during` is called by every read.
    """

    def __init__(self) -> None:
        self.openai_keys: _CachedValues[str] = _CachedValues()
        self.twilio_credentials: _CachedValues[TwilioCredentials] = _CachedValues()
        self.fresh_reads: list[str] = []
        self.during: Callable[[], object] = lambda: None
        self._faults: FaultPlan[Exception] = FaultPlan()

    def fail(self, call: str, error: Exception) -> None:
        """Let the next read of that name fail."""
        self._faults.add(call, error)

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        self._begin("openai_key", reference, fresh=fresh)
        return self.openai_keys.read(reference, fresh=fresh)

    def credentials(self, reference: str, *, fresh: bool = False) -> TwilioCredentials:
        self._begin("credentials", reference, fresh=fresh)
        return self.twilio_credentials.read(reference, fresh=fresh)

    def _begin(self, call: str, reference: str, *, fresh: bool) -> None:
        self.during()
        if fresh:
            self.fresh_reads.append(reference)
        if error := self._faults.pop(call):
            raise error


class FakeTextGenerator:
    """Implements the port `TextGenerator`.

    Attributes:
        billed: Every request that was answered.
        answer: Every answer, after those of `answers`.
        categories: What moderation flags: texts that contain the category's name.
        discarded: The ids that were deleted.
    """

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key
        self.answer = ANSWER
        self.billed: list[GenerationRequest] = []
        self.answers: list[Answer] = []
        self.categories: tuple[str, ...] = ()
        self.discarded: list[str] = []
        self.during: Callable[[GenerationRequest], object] = lambda _: None
        self._faults: FaultPlan[Exception] = FaultPlan()

    def fail(self, error: Exception, times: int = 1, call: str = "generate") -> None:
        """Let the next requests fail."""
        self._faults.add(call, error, times)

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Answer, if the key is the right one."""
        if api_key != self.api_key:
            raise CredentialsRefused("openai_401", Step.AI)
        self.during(request)
        if error := self._faults.pop("generate"):
            raise error
        self.billed.append(request)
        return replace(self.answers.pop(0) if self.answers else self.answer)

    def moderate(self, api_key: str, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Flag every text in which a category's name occurs."""
        assert (api_key, True) == (self.api_key, timeout > 0)
        if error := self._faults.pop("moderate"):
            raise error
        return tuple(name for name in self.categories if any(name in text for text in texts))

    def discard(self, api_key: str, engine: Engine, openai_id: str, timeout: float) -> bool:  # noqa: ARG002 - the port's
        """Note the id, unless it is made to fail."""
        if self._faults.pop("discard"):
            return False
        self.discarded.append(openai_id)
        return True


class FakeAssistants:
    """Implements the port `Assistants` with the definitions in it."""

    def __init__(self) -> None:
        self.definitions: dict[str, AssistantDefinition] = {}

    def find(self, assistant_id: str) -> AssistantDefinition | None:
        return self.definitions.get(assistant_id)

    def names(self) -> list[str]:
        return list(self.definitions)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the vendor accepted, and when (epoch seconds)."""

    sid: str
    message: OutgoingMessage
    at: float

    def is_same(self, message: OutgoingMessage) -> bool:
        """Return whether numbers, text and variables are equal; the vendor lists nothing else."""
        sent, asked = (
            (each.sender, each.recipient, each.body, each.variables)
            for each in (self.message, message)
        )
        return sent == asked


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

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next sends fail before anything is accepted."""
        self._faults.add("send", error, times)

    def fail_lookup(self, error: Exception) -> None:
        self._faults.add("find", error)

    def lose_answer(self) -> None:
        """Let the next send be accepted, and its answer be lost."""
        self._faults.add("answer", SendOutcomeUnknown("twilio_answer_lost", Step.SEND))

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Accept a message, unless a fault is planned."""
        self.attempts += 1
        self.during()
        self._begin("send", credentials)
        sid = f"SM{len(self.sent) + 1:032d}"
        self.sent.append(SentMessage(sid, message, self._clock()))
        self._fail("answer")
        return sid

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """Return the sids of that message since then, if the list is up to date."""
        self._begin("find", credentials)
        found = tuple(sent.sid for sent in self.sent if sent.at >= since and sent.is_same(message))
        return found if self.is_listing else ()

    def _begin(self, call: str, credentials: TwilioCredentials) -> None:
        self._fail(call)
        if credentials.auth_token != self.auth_token:
            raise CredentialsRefused("twilio_20003", Step.SEND)

    def _fail(self, call: str) -> None:
        if error := self._faults.pop(call):
            raise error
