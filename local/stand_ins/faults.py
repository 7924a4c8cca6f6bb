"""The ways in which a stand-in can be told to fail: one small vocabulary for all of them."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""For what can also be given over HTTP: a misspelled name is an error."""

Seconds = Annotated[float, Field(ge=0)]
"""A length of time."""


class FaultKind(StrEnum):
    """What goes wrong with a request. The last group is understood by one vendor's stand-in."""

    ERROR = "error"
    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    EMPTY = "empty"
    NOT_JSON = "not_json"

    THINKING = "thinking"
    REFUSAL = "refusal"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    MISFIT = "misfit"

    UNDELIVERED = "undelivered"


COMMON_FAULTS = frozenset(
    {
        FaultKind.ERROR,
        FaultKind.SLOW,
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.EMPTY,
        FaultKind.NOT_JSON,
    }
)
"""Those that every stand-in can show."""

_LOWEST_STATUS = {FaultKind.ERROR: 400, FaultKind.NOT_JSON: 200}


@dataclass(frozen=True, slots=True, config=STRICT)
class Fault:
    """One way to fail; build it with the class methods, which name what each way needs.

    Attributes:
        kind: What goes wrong.
        status: HTTP status of an answer that is not the normal one; 0 where none is sent.
        code: The vendor's error code, or the reason of an incomplete answer.
        message: The vendor's words; empty for the stand-in's own.
        retry_after: Value of the Retry-After header in seconds, if one is sent.
        seconds: How long a slow answer or a thinking model takes.
        effect_applied: Whether the request takes effect although its sender is not told.
    """

    kind: FaultKind
    status: Annotated[int, Field(ge=0, le=599)] = 0
    code: str = ""
    message: str = ""
    retry_after: Seconds | None = None
    seconds: Seconds = 0.0
    effect_applied: bool = False

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        lowest = _LOWEST_STATUS.get(self.kind, 0)
        if self.status < lowest:
            raise ValueError(f"status: {self.kind} needs one from {lowest} on")
        if self.kind is FaultKind.UNDELIVERED and not self.code.isdecimal():
            raise ValueError(f"code: {self.kind} needs a number")
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
        """An error answer in the vendor's form, with its status and code."""
        return cls(
            FaultKind.ERROR,
            status=status,
            code=str(code),
            message=message,
            retry_after=retry_after,
            effect_applied=effect_applied,
        )

    @classmethod
    def slow(cls, seconds: float, *, effect_applied: bool = False) -> "Fault":
        """A normal answer, late; with `effect_applied` the effect comes before the wait."""
        return cls(FaultKind.SLOW, seconds=seconds, effect_applied=effect_applied)

    @classmethod
    def hang(cls, *, effect_applied: bool = False) -> "Fault":
        """No answer at all: the connection stays open until the client gives up."""
        return cls(FaultKind.HANG, effect_applied=effect_applied)

    @classmethod
    def reset(cls, *, effect_applied: bool = False) -> "Fault":
        """A connection reset instead of an answer, before or after the effect."""
        return cls(FaultKind.RESET, effect_applied=effect_applied)

    @classmethod
    def empty(cls) -> "Fault":
        """The normal status and effect, with an empty body."""
        return cls(FaultKind.EMPTY, effect_applied=True)

    @classmethod
    def not_json(cls, status: int = 502, *, effect_applied: bool = False) -> "Fault":
        """The HTML page of a gateway in front of the vendor, even with a status of success."""
        return cls(FaultKind.NOT_JSON, status=status, effect_applied=effect_applied)

    @classmethod
    def thinking(cls, seconds: float) -> "Fault":
        """OpenAI: the model takes so long; its conversation is locked meanwhile."""
        return cls(FaultKind.THINKING, seconds=seconds)

    @classmethod
    def refusal(cls, message: str = "I'm sorry, but I can't help with that.") -> "Fault":
        """OpenAI: a completed answer whose only content is a refusal."""
        return cls(FaultKind.REFUSAL, message=message)

    @classmethod
    def incomplete(cls, reason: str = "max_output_tokens") -> "Fault":
        """OpenAI: an answer cut off in the middle, for `max_output_tokens` or `content_filter`."""
        return cls(FaultKind.INCOMPLETE, code=reason)

    @classmethod
    def failed(cls, code: str = "server_error", message: str = "") -> "Fault":
        """OpenAI: HTTP 200, but the response's or the run's own status is `failed`."""
        return cls(FaultKind.FAILED, code=code, message=message)

    @classmethod
    def misfit(cls, text: str = '{"unexpected": true}') -> "Fault":
        """OpenAI: a completed answer with this text, whatever format was asked for."""
        return cls(FaultKind.MISFIT, message=text)

    @classmethod
    def undelivered(cls, code: int = 63016) -> "Fault":
        """Twilio: the message is accepted, and ends as `undelivered` with this code."""
        return cls(FaultKind.UNDELIVERED, code=str(code))
