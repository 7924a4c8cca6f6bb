"""The channel's secrets in memory: a value that changed is seen by a fresh read only."""

from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from lambda_src.core.errors import PermanentFailure, Step
from lambda_src.services.secret_forms import TwilioCredentials
from tests.unit.fakes.faults import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

V = TypeVar("V")


class Versions(Generic[V]):
    """Values by reference, and what was read of them last."""

    def __init__(self) -> None:
        self.stored: dict[str, V] = {}
        self._cached: dict[str, V] = {}
        self._lock = Lock()

    def read(self, reference: str, *, fresh: bool) -> V:
        """The value read last, or the one that is stored now."""
        with self._lock:
            if fresh or reference not in self._cached:
                self._cached[reference] = self._stored(reference)
            return self._cached[reference]

    def _stored(self, reference: str) -> V:
        if reference not in self.stored:
            raise PermanentFailure("secret_missing", Step.SECRETS)
        return self.stored[reference]


class FakeSecrets:
    """Implements the port `Secrets`.

    `fresh_reads` names the secrets read past the cache, `during` happens while one is read.
    """

    def __init__(self) -> None:
        self.openai_keys: Versions[str] = Versions()
        self.twilio_credentials: Versions[TwilioCredentials] = Versions()
        self.fresh_reads: list[str] = []
        self.during: Callable[[], object] = lambda: None
        self._faults: Plan[Exception] = Plan()

    def fail(self, call: str, error: Exception) -> None:
        """Let the next read of that name go wrong."""
        self._faults.add(call, error)

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """The OpenAI API key."""
        self._begin("openai_key", reference, fresh=fresh)
        return self.openai_keys.read(reference, fresh=fresh)

    def credentials(self, reference: str, *, fresh: bool = False) -> TwilioCredentials:
        """The Twilio credentials."""
        self._begin("credentials", reference, fresh=fresh)
        return self.twilio_credentials.read(reference, fresh=fresh)

    def _begin(self, call: str, reference: str, *, fresh: bool) -> None:
        self.during()
        if fresh:
            self.fresh_reads.append(reference)
        if error := self._faults.pop(call):
            raise error
