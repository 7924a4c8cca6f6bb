"""Faults that a fake injects, the rules that select requests for them, and the request log."""

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Any, Self

import pydantic_core
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from werkzeug.wrappers import Request

from local.fakes.history import History

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""For values that also arrive over HTTP: an unknown name is an error."""

Seconds = Annotated[float, Field(ge=0)]


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    ERROR = "error"
    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    EMPTY = "empty"
    NOT_JSON = "not_json"

    # OpenAI only
    THINKING = "thinking"
    REFUSAL = "refusal"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    WRONG_OUTPUT = "wrong_output"
    COMMENTARY = "commentary"
    REPEATED = "repeated"
    REASONING_ONLY = "reasoning_only"

    RETIRING = "retiring"

    # Twilio only
    UNDELIVERED = "undelivered"
    DELIVERY_FAILED = "delivery_failed"
    TEMPLATE_STATE = "template_state"

    # Instead of requests: for status callbacks (Twilio) and, the first three, events (SES)
    CALLBACK_LOST = "callback_lost"
    CALLBACK_DELAYED = "callback_delayed"
    CALLBACK_REPEATED = "callback_repeated"
    CALLBACK_FORGED = "callback_forged"
    CALLBACK_WITHOUT_CODE = "callback_without_code"


COMMON_FAULTS = frozenset(
    {FaultKind.ERROR, FaultKind.SLOW, FaultKind.HANG, FaultKind.RESET}
    | {FaultKind.EMPTY, FaultKind.NOT_JSON}
)
"""Kinds that every fake supports."""

CALLBACK_FAULTS = frozenset(
    {FaultKind.CALLBACK_LOST, FaultKind.CALLBACK_DELAYED, FaultKind.CALLBACK_REPEATED}
    | {FaultKind.CALLBACK_FORGED, FaultKind.CALLBACK_WITHOUT_CODE}
)
"""Kinds whose rules select the fake's own requests, see `local.fakes.twilio.callbacks`."""

FORGERIES = ("signature", "unsigned", "body", "account")
"""What is wrong with a forged callback: it is signed with another token, not signed, signed for
other parameters, or signed by another account."""

_NUMBERED = {FaultKind.UNDELIVERED, FaultKind.DELIVERY_FAILED, FaultKind.RETIRING}
_MIN_STATUS = {FaultKind.ERROR: 400, FaultKind.NOT_JSON: 200}


@dataclass(frozen=True, slots=True, config=STRICT)
class Fault:
    """One way to fail; build it with the class methods, which name the values each kind needs.

    Attributes:
        kind: What goes wrong.
        status: HTTP status of an abnormal response; 0 where none is sent.
        code: The vendor's error code, the reason of an incomplete response, days until a model's
            end, a template's state, or one of `FORGERIES`.
        message: The vendor's error text; empty for the fake's default.
        retry_after: Value of the Retry-After header in seconds; None for no header.
        seconds: Duration of a slow response, of the model's thinking, or of a callback's delay.
        effect_applied: Whether the request takes effect although the client gets an error.
    """

    kind: FaultKind
    status: Annotated[int, Field(ge=0, le=599)] = 0
    code: str = ""
    message: str = ""
    retry_after: Seconds | None = None
    seconds: Seconds = 0.0
    effect_applied: bool = False

    @model_validator(mode="after")
    def _check_required_values(self) -> Self:
        minimum = _MIN_STATUS.get(self.kind, 0)
        if self.status < minimum:
            raise ValueError(f"status: {self.kind} needs at least {minimum}")
        if self.kind in _NUMBERED and not self.code.isdecimal():
            raise ValueError(f"code: {self.kind} needs a number")
        if self.kind is FaultKind.CALLBACK_FORGED and self.code not in FORGERIES:
            raise ValueError(f"code: {self.kind} needs one of {', '.join(FORGERIES)}")
        return self

    @classmethod
    def error(
        cls,
        status: int,
        code: str | int = "",
        message: str = "",
        *,
        retry_after: float | None = None,
        effect_applied: bool = False,
    ) -> "Fault":
        """An error response in the vendor's format."""
        return cls(FaultKind.ERROR, status, str(code), message, retry_after, 0.0, effect_applied)

    @classmethod
    def slow(cls, seconds: float, *, effect_applied: bool = False) -> "Fault":
        """A delayed normal response; with `effect_applied` the effect precedes the delay."""
        return cls(FaultKind.SLOW, seconds=seconds, effect_applied=effect_applied)

    @classmethod
    def hang(cls, *, effect_applied: bool = False) -> "Fault":
        """No response: the connection stays open until the client closes it."""
        return cls(FaultKind.HANG, effect_applied=effect_applied)

    @classmethod
    def reset(cls, *, effect_applied: bool = False) -> "Fault":
        """A connection reset in place of a response, before or after the effect."""
        return cls(FaultKind.RESET, effect_applied=effect_applied)

    @classmethod
    def empty(cls) -> "Fault":
        """The normal status and effect with an empty body."""
        return cls(FaultKind.EMPTY, effect_applied=True)

    @classmethod
    def not_json(cls, status: int = 502, *, effect_applied: bool = False) -> "Fault":
        """A gateway's HTML page, which may have a status of success."""
        return cls(FaultKind.NOT_JSON, status=status, effect_applied=effect_applied)

    @classmethod
    def thinking(cls, seconds: float) -> "Fault":
        """OpenAI: the model takes this long, and its conversation is locked meanwhile."""
        return cls(FaultKind.THINKING, seconds=seconds)

    @classmethod
    def refusal(cls, message: str = "I'm sorry, but I can't help with that.") -> "Fault":
        """OpenAI: a completed response whose only content is a refusal."""
        return cls(FaultKind.REFUSAL, message=message)

    @classmethod
    def incomplete(cls, reason: str = "max_output_tokens") -> "Fault":
        """OpenAI: a truncated response, for `max_output_tokens` or `content_filter`."""
        return cls(FaultKind.INCOMPLETE, code=reason)

    @classmethod
    def failed(cls, code: str = "server_error", message: str = "") -> "Fault":
        """OpenAI: HTTP 200 with the response's or the run's status `failed`."""
        return cls(FaultKind.FAILED, code=code, message=message)

    @classmethod
    def wrong_output(cls, text: str = '{"unexpected": true}') -> "Fault":
        """OpenAI: a completed response with this text, whatever format was requested."""
        return cls(FaultKind.WRONG_OUTPUT, message=text)

    @classmethod
    def commentary(cls, text: str = "I will check the facts of the input first.") -> "Fault":
        """OpenAI: the model writes a message about its work before its answer."""
        return cls(FaultKind.COMMENTARY, message=text)

    @classmethod
    def repeated(cls) -> "Fault":
        """OpenAI: a completed response that contains its message twice."""
        return cls(FaultKind.REPEATED)

    @classmethod
    def reasoning_only(cls) -> "Fault":
        """OpenAI: a completed response without a message."""
        return cls(FaultKind.REASONING_ONLY)

    @classmethod
    def retiring(cls, days: int = 20) -> "Fault":
        """OpenAI: every model has a shutdown date, in so many days."""
        return cls(FaultKind.RETIRING, code=str(days))

    @classmethod
    def template_state(cls, state: str = "paused") -> "Fault":
        """Twilio: every template has this approval state at WhatsApp."""
        return cls(FaultKind.TEMPLATE_STATE, code=state)

    @classmethod
    def undelivered(cls, code: int = 63016) -> "Fault":
        """Twilio: the message is accepted and later becomes `undelivered` with this code."""
        return cls(FaultKind.UNDELIVERED, code=str(code))

    @classmethod
    def delivery_failed(cls, code: int = 30008) -> "Fault":
        """Twilio: the message is accepted and later, without being sent, becomes `failed`."""
        return cls(FaultKind.DELIVERY_FAILED, code=str(code))

    @classmethod
    def callback_lost(cls) -> "Fault":
        """Twilio: a status callback is never sent."""
        return cls(FaultKind.CALLBACK_LOST)

    @classmethod
    def callback_delayed(cls, seconds: float) -> "Fault":
        """Twilio: a status callback is sent later, possibly after those that should follow it."""
        return cls(FaultKind.CALLBACK_DELAYED, seconds=seconds)

    @classmethod
    def callback_repeated(cls) -> "Fault":
        """Twilio: a status callback is sent twice."""
        return cls(FaultKind.CALLBACK_REPEATED)

    @classmethod
    def callback_forged(cls, forgery: str = "signature") -> "Fault":
        """Twilio: a forged callback arrives just before the genuine one.

        Args:
            forgery: What is wrong with it, one of `FORGERIES`. It reports a failure; if the genuine
                one does, it reports that the message was read.
        """
        return cls(FaultKind.CALLBACK_FORGED, code=forgery)

    @classmethod
    def callback_without_code(cls) -> "Fault":
        """Twilio: the callback of a failure lacks the error code."""
        return cls(FaultKind.CALLBACK_WITHOUT_CODE)


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request, without its headers, which carry the credentials.

    Attributes:
        number: Position in the order of arrival, from 0.
        method: HTTP method.
        path: Path of the URL.
        query: Parameters of the URL.
        body: The JSON object or the form; empty if there is neither.
        at: Time of arrival in seconds since the epoch.
        status: HTTP status of the response; None before it and where none was sent.
        fault: The injected fault, if any.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] = dataclasses.field(repr=False)
    at: float
    status: int | None = None
    fault: FaultKind | None = None


RequestListener = Callable[[RecordedRequest, float], None]
"""Is called with a request after its response, and with its duration in seconds."""


class RequestLog(History[RecordedRequest]):
    """The requests in the order of arrival; thread-safe.

    Attributes:
        listeners: Each is called after every response, in the thread of the request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[RequestListener] = []

    def begin(self, request: Request) -> RecordedRequest:
        """Record the arrival of a request."""
        body, query = _body(request), request.args.to_dict()
        return self.append(
            lambda number: RecordedRequest(
                number, request.method, request.path, query, body, at=time.time()
            )
        )

    def finish(
        self, request: RecordedRequest, fault: Fault | None, *, status: int | None = None
    ) -> None:
        """Record the outcome of a request, unless the log was cleared since."""
        kind = fault.kind if fault else None
        outcome = dataclasses.replace(request, status=status, fault=kind)
        self.replace(request.number, request, outcome)
        for listener in list(self.listeners):
            listener(outcome, time.time() - request.at)


def _body(request: Request) -> Mapping[str, Any]:
    if request.mimetype == "application/x-www-form-urlencoded":
        return request.form.to_dict()
    try:
        content = pydantic_core.from_json(request.get_data())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True, slots=True, config=STRICT)
class Match:
    """The requests that a rule selects; a condition that is not given selects every request.

    Attributes:
        method: HTTP method.
        paths: Shell-style patterns of the URL's path, of which one must match.
        contains: Text that the request's parameters or body must contain.
        predicate: Any other condition (in-process only).
    """

    method: str | None = None
    paths: tuple[str, ...] = ()
    contains: str | None = None
    predicate: Callable[[RecordedRequest], bool] | None = None

    def matches(self, request: RecordedRequest) -> bool:
        """Return whether the request meets all conditions."""
        return (
            self.method in {None, request.method}
            and (not self.paths or any(fnmatchcase(request.path, path) for path in self.paths))
            and (self.contains is None or self.contains in _text(request))
            and (self.predicate is None or self.predicate(request))
        )


def _text(request: RecordedRequest) -> str:
    return json.dumps([dict(request.query), dict(request.body)], ensure_ascii=False)


ANY_REQUEST = Match()


@dataclass(frozen=True, slots=True, config=STRICT)
class Rule:
    """A fault and the requests that it applies to.

    Attributes:
        fault: What goes wrong.
        match: The requests that the rule selects.
        times: Number of requests that fail; None for no limit.
        skip: Number of matching requests that pass first.
        probability: Probability of the fault for each matching request, from 0 to 1.
        seed: Seed of the rule's random numbers, which makes a run repeatable.
    """

    fault: Fault
    match: Match = ANY_REQUEST
    times: Annotated[int, Field(ge=1)] | None = 1
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int = 0


class FaultPlan:
    """The active rules, tried in the order in which they were added; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_ActiveRule] = []

    def add(self, rule: Rule) -> None:
        """Append a rule."""
        with self._lock:
            self._active.append(_ActiveRule(rule))

    def next_fault(self, request: RecordedRequest) -> Fault | None:
        """Return the fault of the first rule that applies to the request, and count its use."""
        with self._lock:
            for active in self._active:
                if active.applies_to(request):
                    self._active = [rule for rule in self._active if rule.remaining != 0]
                    return active.rule.fault
        return None

    def pending(self) -> list[Rule]:
        """Return the rules that can still apply, as they were added."""
        with self._lock:
            return [active.rule for active in self._active]

    def remove(self, applies_to: Callable[[Fault], bool]) -> None:
        """Remove the rules of some faults."""
        with self._lock:
            self._active = [each for each in self._active if not applies_to(each.rule.fault)]

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._active.clear()


class _ActiveRule:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.remaining = rule.times
        self._to_skip = rule.skip
        self._random = Random(rule.seed)  # noqa: S311  # repeatable faults, no cryptography

    def applies_to(self, request: RecordedRequest) -> bool:
        if not self.rule.match.matches(request):
            return False
        if self._to_skip > 0:
            self._to_skip -= 1
            return False
        if self._random.random() >= self.rule.probability:
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True
