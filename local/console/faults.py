"""A switch for every fault that the fakes and the proxy in front of DynamoDB can inject."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from lambda_src.core import (
    AccountRefused,
    PermanentFailure,
    ProcessingError,
    RecipientOptedOut,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from lambda_src.core.ai.errors import classify_status
from lambda_src.core.errors import InvalidAnswer
from lambda_src.services.ses.errors import classify as classify_ses
from lambda_src.services.twilio.errors import classify as classify_twilio
from local.errors import LocalCloudError
from local.fakes import FakeService, Fault, FaultKind
from local.fault_injection import AWS, FaultControl, FaultRequest, known_faults, rule

if TYPE_CHECKING:
    from local.console.operator import Parts

FAILS = "the conversation fails, and its message is in the dead-letter queue"
RETRIED = "retried until the fault is switched off; after five deliveries a dead letter"
LOOKED_UP = (
    "the outcome is unknown: looked up at the vendor, and sent again only if it was not sent"
)
REWRITTEN = "written once more; then the draft is held for an operator"
UNAFFECTED = "the message is sent all the same"
EFFECTS: tuple[tuple[type[ProcessingError], str], ...] = (
    (RecipientOptedOut, "the conversation fails, and the recipient is suppressed"),
    (SendOutcomeUnknown, LOOKED_UP),
    (AccountRefused, "the alarm VendorAccountRefused; retried for some time, then a dead letter"),
    (InvalidAnswer, REWRITTEN),
    (PermanentFailure, FAILS),
    (TransientFailure, RETRIED),
)
"""What follows from an error, by its class; the first one that fits."""
DURING_SEND: Mapping[FaultKind, str] = {
    FaultKind.SLOW: f"up to 10 s {UNAFFECTED}; longer: {LOOKED_UP}",
    FaultKind.HANG: LOOKED_UP,
    FaultKind.RESET: LOOKED_UP,
    FaultKind.EMPTY: LOOKED_UP,
    FaultKind.NOT_JSON: LOOKED_UP,
    FaultKind.ERROR: "by its status: refused, retried or looked up",
    FaultKind.UNDELIVERED: "recorded as undelivered, with the code and advice",
    FaultKind.DELIVERY_FAILED: "recorded as failed, with the code and advice",
    FaultKind.CALLBACK_LOST: "the status stays until a lookup (python -m local lookups)",
    FaultKind.CALLBACK_DELAYED: "the status is recorded late, and never regresses",
    FaultKind.CALLBACK_REPEATED: "the second callback changes nothing",
    FaultKind.CALLBACK_FORGED: "rejected, and counted",
    FaultKind.TEMPLATE_STATE: "the alarm TemplatesNotApproved (python -m local check-vendors)",
    FaultKind.CALLBACK_WITHOUT_CODE: "the missing code is filled in by a later event",
}
"""What follows from a kind of fault of a vendor that sends."""
DURING_DRAFT: Mapping[FaultKind, str] = {
    FaultKind.SLOW: f"up to a minute {UNAFFECTED}; longer: retried",
    FaultKind.THINKING: f"up to a minute {UNAFFECTED}; longer: retried",
    FaultKind.HANG: RETRIED,
    FaultKind.RESET: RETRIED,
    FaultKind.EMPTY: RETRIED,
    FaultKind.NOT_JSON: RETRIED,
    FaultKind.ERROR: "by its status: refused or retried",
    FaultKind.REFUSAL: FAILS,
    FaultKind.INCOMPLETE: REWRITTEN,
    FaultKind.FAILED: RETRIED,
    FaultKind.WRONG_OUTPUT: REWRITTEN,
    FaultKind.COMMENTARY: UNAFFECTED,
    FaultKind.REPEATED: UNAFFECTED,
    FaultKind.REASONING_ONLY: REWRITTEN,
    FaultKind.RETIRING: "the alarm ModelsRetiring (python -m local check-vendors)",
}
"""What follows from a kind of fault of OpenAI."""
TITLES = {"openai": "OpenAI", "twilio": "Twilio", "ses": "Amazon SES", AWS: "DynamoDB"}
DURING_WRITE = "the write is retried; if it was the last one, an alarm, and nothing is sent twice"


@dataclass(frozen=True)
class Switch:
    """A fault that can be switched on.

    Attributes:
        name: as on the command line.
        parameter: the name of the value that it needs; empty if it takes none.
        meaning: what happens to the request.
        effect: what follows for the message.
        active: the rules that are in force, as texts.
        is_code: whether it is one of the vendor's error codes.
    """

    name: str
    parameter: str
    meaning: str
    effect: str
    active: tuple[str, ...]
    is_code: bool


def register(views: Blueprint, parts: "Parts") -> None:
    """Add the routes that the switches call."""

    @views.post("/faults/<target>/<name>")
    def switch(target: str, name: str) -> ResponseReturnValue:
        service = parts.cloud.fakes.get(target)
        if service is None:
            abort(404)
        problem = ""
        if request.form.get("on"):
            try:
                _switch_on(parts, target, name)
            except LocalCloudError as error:
                problem = str(error)
        else:
            service.remove_faults(lambda fault: _name_of(service, fault) == name)
        parts.journal.touch()
        return _render(parts, problem)

    @views.post("/faults/heal")
    def heal() -> ResponseReturnValue:
        for service in parts.cloud.fakes.values():
            service.clear_faults()
        parts.journal.touch()
        return _render(parts)


def read(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    """Return the switches of each target, and the form's last content."""
    targets = {name: list(switches(name, fake)) for name, fake in parts.cloud.fakes.items()}
    return {"targets": targets, "titles": TITLES, "form": request.form}


def _render(parts: "Parts", problem: str = "") -> str:
    return render_template("faults.html", problem=problem, **read(parts, {}))


def _switch_on(parts: "Parts", target: str, name: str) -> None:
    """Add a rule as `python -m local fail` does.

    Raises:
        LocalCloudError: a value is missing or does not fit.
    """
    form = request.form
    wanted = FaultRequest(
        target=target,
        fault=name,
        value=form.get("value", "").strip(),
        contains=form.get("contains", "").strip(),
        times=_positive(form.get("times", "")),
        takes_effect=bool(form.get("takes_effect")),
    )
    origins = {name: fake.origin for name, fake in parts.cloud.fakes.items()}
    FaultControl(origins).add(target, rule(wanted))


def _positive(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not int(text):
        raise LocalCloudError("Only the first … requests: expected a number from 1, or nothing")
    return int(text)


def switches(target: str, fake: FakeService[Any]) -> Iterator[Switch]:
    """Yield a switch for each fault of a target."""
    active: dict[str, list[str]] = {}
    for each in fake.pending_faults:
        match = each.match.contains
        text = f"for {match}" if match else "for all"
        times = f", {each.times} requests" if each.times else ""
        active.setdefault(_name_of(fake, each.fault), []).append(f"{text}{times}")
    for words, meaning in known_faults(target):
        name, _, value = words.partition(" ")
        yield Switch(
            name=name,
            parameter=value.strip("[]").replace("_", " ").lower(),
            meaning=meaning.replace("`", ""),
            effect=_effect(target, fake, name),
            active=tuple(active.get(name, ())),
            is_code=name in fake.named_faults,
        )


def _name_of(fake: FakeService[Any], fault: Fault) -> str:
    """Return the name on the command line of a fault that is in force."""
    named = (
        name
        for name, known in fake.named_faults.items()
        if (known.kind, known.status, known.code) == (fault.kind, fault.status, fault.code)
    )
    return next(named, fault.kind.value)


def _effect(target: str, fake: FakeService[Any], name: str) -> str:
    """Return what follows for the message: for an error code, by the runtime's own rules."""
    named = fake.named_faults.get(name)
    if target == AWS:
        return DURING_WRITE
    if named is None:
        return (DURING_DRAFT if target == "openai" else DURING_SEND)[FaultKind(name)]
    error = _classified(target, named)
    return next(text for kind, text in EFFECTS if isinstance(error, kind))


def _classified(target: str, fault: Fault) -> ProcessingError:
    if target == "openai":
        return classify_status(fault.status, fault.code)
    if target == "twilio":
        return classify_twilio(fault.status, int(fault.code), Step.SEND)
    answer = {
        "Error": {"Code": fault.code, "Message": fault.message},
        "ResponseMetadata": {"HTTPStatusCode": fault.status},
    }
    return classify_ses(ClientError(answer, "SendEmail"))  # type: ignore[arg-type]  # the two parts that are read
