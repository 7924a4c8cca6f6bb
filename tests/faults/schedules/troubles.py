"""What can go wrong with a call, by the call's name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    LedgerRefused,
    LedgerUnavailable,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit.fakes.faults import Unforeseen
from tests.unit.fakes.ledger_faults import STEPS

OPT_OUT = "twilio_21610"
"""The vendor's word that a recipient opted out."""


class Effect(Enum):
    """What becomes of a call's effect when the call goes wrong."""

    NONE = auto()
    """It never happens."""
    UNTOLD = auto()
    """It happens, and the answer is lost."""
    LATE = auto()
    """It happens some time after its caller gave up waiting."""
    TWICE = auto()
    """It happens, the answer is lost, and the SDK makes the same call once more."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which a call goes wrong.

    Attributes:
        name: One word, which schedules call it by.
        effect: What becomes of the call's effect.
        error: What the caller hears; None where it hears nothing special.
        is_refusal: Whether it says for certain, and for good, that the message cannot be sent.
        is_mendable: Whether a person can mend what refused it, and then release it.
    """

    name: str
    effect: Effect
    error: Callable[[], Exception] | None = None
    is_refusal: bool = False
    is_mendable: bool = False


def _fails(kind: type[ProcessingError], code: str, step: Step) -> Trouble:
    is_refusal = issubclass(kind, PermanentFailure)
    return Trouble(code, Effect.NONE, partial(kind, code, step), is_refusal=is_refusal)


def _unforeseen(effect: Effect) -> Trouble:
    return Trouble(f"unforeseen-{effect.name.lower()}", effect, Unforeseen)


def unanswered(call: str) -> LedgerUnavailable:
    """What is heard of a table that does not answer, by the call's own name."""
    return LedgerUnavailable("ledger_unavailable", STEPS[call])


def _of_read(call: str) -> tuple[Trouble, ...]:
    return (
        Trouble("table-unavailable", Effect.NONE, partial(unanswered, call)),
        _fails(LedgerRefused, "ledger_refused", STEPS[call]),
        _unforeseen(Effect.NONE),
    )


def _of_write(call: str) -> tuple[Trouble, ...]:
    return (
        Trouble("answer-lost", Effect.UNTOLD, partial(unanswered, call)),
        Trouble("repeated-by-sdk", Effect.TWICE),
        Trouble("applied-late", Effect.LATE, partial(unanswered, call)),
        *_of_read(call),
    )


_AI = (
    _fails(TransientFailure, "openai_500", Step.AI),
    Trouble("answer-lost", Effect.UNTOLD, partial(TransientFailure, "openai_unreachable", Step.AI)),
    _fails(RateLimited, "openai_429", Step.AI),
    _fails(CredentialsRefused, "openai_401", Step.AI),
    _fails(AccountRefused, "openai_insufficient_quota", Step.AI),
    _fails(PermanentFailure, "openai_400", Step.AI),
    _unforeseen(Effect.NONE),
)
_UNKNOWN = partial(SendOutcomeUnknown, "twilio_answer_lost", Step.SEND)
_SEND = (
    Trouble("never-arrived", Effect.NONE, _UNKNOWN),
    Trouble("accepted-untold", Effect.UNTOLD, _UNKNOWN),
    Trouble("accepted-late", Effect.LATE, _UNKNOWN),
    _fails(TransientFailure, "twilio_unreachable", Step.SEND),
    _fails(RateLimited, "twilio_20429", Step.SEND),
    _fails(CredentialsRefused, "twilio_20003", Step.SEND),
    _fails(AccountRefused, "twilio_20005", Step.SEND),
    _fails(PermanentFailure, "twilio_21211", Step.SEND),
    _fails(RecipientOptedOut, OPT_OUT, Step.SEND),
    _unforeseen(Effect.NONE),
    _unforeseen(Effect.UNTOLD),
)
_FIND = (
    _fails(TransientFailure, "twilio_503", Step.SETTLE),
    _fails(CredentialsRefused, "twilio_20003", Step.SETTLE),
    _fails(AccountRefused, "twilio_20005", Step.SETTLE),
    _unforeseen(Effect.NONE),
)
_SECRET = (
    _fails(TransientFailure, "secrets_unavailable", Step.SECRETS),
    Trouble(
        "secret_malformed",
        Effect.NONE,
        partial(PermanentFailure, "secret_malformed", Step.SECRETS),
        is_mendable=True,
    ),
    _unforeseen(Effect.NONE),
)

TROUBLES: dict[str, tuple[Trouble, ...]] = {
    **{f"conversations.{call}": _of_write(call) for call in STEPS},
    "conversations.others": _of_read("others"),
    "secrets.openai_key": _SECRET,
    "secrets.credentials": _SECRET,
    "writer.write": _AI,
    "sender.send": _SEND,
    "sender.find": _FIND,
    "queue.extend": (Trouble("queue-silent", Effect.NONE, ConnectionError),),
    "queue.show_again": (Trouble("queue-silent", Effect.NONE),),
    "queue.max_receive_count": (_fails(TransientFailure, "queue_unavailable", Step.SETTLE),),
}
"""The ways in which each call can go wrong; a call that is not here cannot."""

_OUTAGES = frozenset(
    {
        "table-unavailable",
        "openai_500",
        "twilio_unreachable",
        "twilio_503",
        "secrets_unavailable",
        "queue-silent",
        "queue_unavailable",
    }
)
OUTAGES = {
    call: next(trouble for trouble in troubles if trouble.name in _OUTAGES)
    for call, troubles in TROUBLES.items()
}
"""What every call of a service meets while that service is down."""
SERVICES = tuple(sorted({call.split(".")[0] for call in TROUBLES}))
"""What can be down: the part of a call's name before its dot."""


def trouble_of(call: str, name: str) -> Trouble:
    """The trouble that a call may have, by its name."""
    return next(trouble for trouble in TROUBLES[call] if trouble.name == name)
