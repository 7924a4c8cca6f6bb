"""Faults in a running local cloud: what can be injected, and how, with the fakes' control API."""

import difflib
import inspect
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import ValidationError

from local.dynamodb_proxy import DynamoDBProxy
from local.errors import LocalCloudError
from local.fakes import FakeService, Fault, FaultKind, Match
from local.fakes.server import CONTROL_PREFIX
from local.screen import Screen
from local.vendors import FakeVendors
from ops.console import fields_table

WITH_EFFECT = frozenset(
    {FaultKind.ERROR, FaultKind.SLOW, FaultKind.HANG, FaultKind.RESET, FaultKind.NOT_JSON}
)
"""Kinds of which the request may take effect although its response is not the normal one."""
REQUEST_SECONDS = 5
AWS = "aws"
"""The target between the functions and DynamoDB."""


@dataclass(frozen=True, kw_only=True)
class FaultRequest:
    """A fault as it is named on the command line.

    Attributes:
        target: what fails, a name of `targets`.
        fault: one of the target's error codes or kinds of faults.
        value: what the kind of fault needs, such as seconds; empty for its default.
        contains: selects the requests about one message; empty for all.
        requests: a name of the target's groups of requests; empty for the default.
        times: number of requests that fail; None for no limit.
        share: of the selected requests, from 0 to 1.
        takes_effect: whether the request takes effect all the same.
    """

    target: str
    fault: str
    value: str = ""
    contains: str = ""
    requests: str = ""
    times: int | None = None
    share: float = 1.0
    takes_effect: bool = False


def targets() -> dict[str, FakeService[Any]]:
    """Return what faults can be injected into, by name; nothing of it is running."""
    return {**FakeVendors().by_name(), AWS: DynamoDBProxy("")}


def rule(request: FaultRequest) -> dict[str, Any]:
    """Return the rule of a fault, as the control API takes it.

    Raises:
        LocalCloudError: there is no such target, fault or group, or it does not fit.
    """
    service = _one_of(targets(), request.target, "target")
    fault = _fault(service, request)
    match = _match(service, fault, request)
    document = {"fault": asdict(fault), "times": request.times, "probability": request.share}
    if match != Match():
        known = asdict(match)
        document["match"] = {name: known[name] for name in ("method", "paths", "contains")}
    return document


def _fault(service: FakeService[Any], request: FaultRequest) -> Fault:
    kinds = {kind.value: kind for kind in service.fault_kinds}
    if request.fault in service.named_faults:
        if request.value:
            raise LocalCloudError(f"{request.fault} takes no value, found {request.value}")
        fault = service.named_faults[request.fault]
    else:
        _one_of({**service.named_faults, **kinds}, request.fault, f"fault of {request.target}")
        fault = _fault_of_kind(request.fault, request.value)
    if request.takes_effect and fault.kind not in WITH_EFFECT:
        raise LocalCloudError(f"--takes-effect does not apply to {request.fault}")
    return replace(fault, effect_applied=True) if request.takes_effect else fault


def _fault_of_kind(kind: str, value: str) -> Fault:
    """Build a fault; its constructor says which value it takes."""
    build = getattr(Fault, kind)
    parameter = _value_of(build)
    if value and parameter is None:
        raise LocalCloudError(f"{kind} takes no value, found {value}")
    if parameter and not value and parameter.default is parameter.empty:
        raise LocalCloudError(f"{kind} needs a value: {parameter.name}")
    arguments = []
    if parameter and value:
        try:
            arguments = [parameter.annotation(value)]
        except ValueError:
            message = f"{kind}: {parameter.name}: expected a number, found {value}"
            raise LocalCloudError(message) from None
    try:
        fault: Fault = build(*arguments)
    except ValidationError as error:
        raise LocalCloudError(
            "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        ) from None
    return fault


def _value_of(build: Any) -> inspect.Parameter | None:
    """Return the parameter of a fault's constructor that its value on the command line is."""
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = inspect.signature(build).parameters.values()
    return next((each for each in found if each.kind is positional), None)


def _match(service: FakeService[Any], fault: Fault, request: FaultRequest) -> Match:
    pattern, description = service.selector
    if request.contains and not re.fullmatch(pattern, request.contains):
        raise LocalCloudError(
            f"--for: requests to {request.target} contain {description}, found {request.contains}"
        )
    found = service.default_match(fault)
    groups = service.request_groups if fault.kind not in service.event_faults else {}
    if request.requests and not groups:
        raise LocalCloudError(f"--requests does not apply to {request.fault} of {request.target}")
    if request.requests:
        found = _one_of(groups, request.requests, f"group of requests to {request.target}")
    elif groups and found == Match():
        found = next(iter(groups.values()))
    return replace(found, contains=request.contains or None)


def _one_of(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=3)
    help_ = f"did you mean {', '.join(close)}" if close else "`fail --list` has all of them"
    raise LocalCloudError(f"{name}: no {what}: {help_}")


def known_faults(target: str) -> Iterator[tuple[str, str]]:
    """Yield each fault of a target, as it is named on the command line, and its meaning.

    Raises:
        LocalCloudError: there is no such target.
    """
    service = _one_of(targets(), target, "target")
    for kind in sorted(service.fault_kinds, key=[*FaultKind].index):
        build = getattr(Fault, kind.value)
        value, text = _value_of(build), (inspect.getdoc(build) or "").splitlines()[0]
        name = f"{kind.value} {value.name.upper()}" if value else kind.value
        if value and value.default is not value.empty:
            name = f"{kind.value} [{value.name.upper()}]"
        vendor, _, rest = text.partition(": ")
        meaning = rest if rest and vendor.isalpha() else text
        text = meaning.replace("effect_applied", "--takes-effect")
        yield name, text[:1].upper() + text[1:]
    for name, fault in service.named_faults.items():
        yield name, f"HTTP {fault.status}: {fault.message}"


class FaultControl:
    """The control APIs of a running local cloud.

    Args:
        origins: each target's scheme, host and port, by its name.
    """

    def __init__(self, origins: Mapping[str, str]) -> None:
        self._origins = origins
        # Loopback addresses are reached directly, whatever proxy the environment names.
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def add(self, target: str, document: Mapping[str, Any]) -> None:
        """Let requests to a target fail by a rule.

        Raises:
            LocalCloudError: the target is not a fake.
        """
        if target not in self._origins:
            raise LocalCloudError(
                f"{target} is the real service in the running local cloud:"
                " faults are injected into fakes only"
            )
        self._call(target, "POST", document)

    def active(self) -> dict[str, list[str]]:
        """Return a line for each active rule, by target."""
        return {name: [_line(each) for each in self._call(name, "GET")] for name in self._origins}

    def remove(self, target: str = "") -> int:
        """Remove the rules of a target, or all; return their number.

        Raises:
            LocalCloudError: there is no such target.
        """
        if target:
            _one_of(self._origins, target, "target that is a fake")
        names = [target] if target else [*self._origins]
        number = sum(len(self._call(name, "GET")) for name in names)
        for name in names:
            self._call(name, "DELETE")
        return number

    def _call(self, target: str, method: str, document: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - a loopback address
            f"{self._origins[target]}{CONTROL_PREFIX}faults",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
        )
        try:
            with self._direct.open(request, timeout=REQUEST_SECONDS) as response:
                return json.loads(response.read() or "null")
        except urllib.error.HTTPError as error:
            problems = json.load(error).get("problems", [error.reason])
            raise LocalCloudError("; ".join(problems)) from None
        except OSError as error:
            raise LocalCloudError(f"{target} does not respond: {error}") from None


def _line(document: Mapping[str, Any]) -> str:
    fault, match = document["fault"], document["match"]
    named = fault["kind"] == FaultKind.ERROR and fault["code"].rpartition("#")[2]
    parts = [named or fault["kind"]]
    if value := fault["seconds"] or ("" if named else fault["code"] or fault["status"]):
        parts.append(f"{value:g}" if isinstance(value, float) else str(value))
    if fault["effect_applied"] and fault["kind"] in WITH_EFFECT:
        parts.append("takes effect")
    if match["contains"]:
        parts.append(f"for {match['contains']}")
    times = document["times"]
    parts.append("until healed" if times is None else f"for {times} requests in all")
    if document["probability"] < 1:
        parts.append(f"share {document['probability']:g}")
    return ", ".join(parts)


def show_active(screen: Screen, control: FaultControl) -> None:
    """Show the active faults of a running local cloud."""
    active = {name: lines for name, lines in control.active().items() if lines}
    for name, lines in active.items():
        for line in lines:
            screen.say(f"{name} fails: {line}")
    if active:
        screen.say("python -m local heal removes them", "dim")
    else:
        screen.say("no faults; `python -m local fail --list` lists those that can be injected")


def show_known(screen: Screen, target: str = "") -> None:
    """Show all faults that can be injected, or those into one target.

    Raises:
        LocalCloudError: there is no such target.
    """
    for name in [target] if target else targets():
        screen.heading(f"python -m local fail {name} FAULT")
        screen.output.print(fields_table(known_faults(name)))
