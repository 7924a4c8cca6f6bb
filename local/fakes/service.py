"""The base of every fake: a vendor's Flask application with fault injection and a control API."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from flask import Blueprint, Flask, jsonify, request
from pydantic import TypeAdapter, ValidationError
from werkzeug.wrappers import Response

from local.fakes.faults import (
    ANY_REQUEST,
    COMMON_FAULTS,
    Fault,
    FaultKind,
    FaultPlan,
    Match,
    RecordedRequest,
    RequestListener,
    Rule,
)
from local.fakes.server import CONTROL_PREFIX, FaultInjectionMiddleware, LoopbackServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SettingsT = TypeVar("SettingsT")
_JSON_OBJECT = TypeAdapter(dict[str, Any])
_RULE = TypeAdapter(Rule)


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message as its recipient sees it, on any channel.

    Attributes:
        sid: The vendor's id of the message.
        sender: The sender's address, as it is shown.
        body: The text.
        at: When the vendor accepted it, in seconds since the epoch.
        application: What shows it, such as `WhatsApp`.
        subject: An e-mail's subject; empty where messages have none.
        recipient: The recipient's address; empty if it is not known.
    """

    sid: str
    sender: str
    body: str
    at: float
    application: str
    subject: str = ""
    recipient: str = ""


class FakeService(LoopbackServer, ABC, Generic[SettingsT]):
    """A vendor's HTTP API on 127.0.0.1.

    Another process controls it over HTTP, see `_control_routes`.

    Attributes:
        application: The same API as a WSGI application, without the server.
        settings: Its behaviour; may be replaced at any time.
        wait: How requests wait.
        vendor_faults: Kinds of faults that this vendor's application applies itself.
        vendor_requests: The requests that these faults apply to by default.
        own_requests: The requests of those of these faults that apply to others.
        request_groups: Groups of requests by name, to which rules can be limited; the first one is
            meant where none is named. Empty for requests of one kind only.
        named_faults: An error response for each of the vendor's error codes, by the code.
        selector: What requests about one message contain, as a pattern and in words.
        event_faults: Those of these kinds that apply to what the vendor reports by itself.
        event_plan: The rules for these reports.
    """

    vendor_faults: ClassVar[frozenset[FaultKind]] = frozenset()
    vendor_requests: ClassVar[Match] = ANY_REQUEST
    own_requests: ClassVar[Mapping[FaultKind, Match]] = {}
    event_faults: ClassVar[frozenset[FaultKind]] = frozenset()
    request_groups: ClassVar[Mapping[str, Match]] = {}
    selector: ClassVar[tuple[str, str]] = (".+", "a text")

    def __init__(
        self,
        application: Flask,
        *,
        settings: SettingsT,
        named_faults: Mapping[str, Fault],
        port: int = 0,
    ) -> None:
        # A dropped connection inside the application must reach the server, not become a 500.
        application.config["PROPAGATE_EXCEPTIONS"] = True
        application.register_blueprint(_control_routes(self))
        self.settings = settings
        self.event_plan = FaultPlan()
        self.application = FaultInjectionMiddleware(application, error_response=self.error_response)
        self.wait = self.application.wait
        self.named_faults = named_faults
        super().__init__(self.respond, name=type(self).__name__, port=port, wait=self.wait)

    def respond(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request, with faults."""
        return self.application(environ, start_response)

    @property
    def fault_kinds(self) -> frozenset[FaultKind]:
        """Kinds of faults that this vendor supports."""
        return COMMON_FAULTS | self.vendor_faults

    @property
    def base_url(self) -> str:
        """The base URL for the vendor's SDK."""
        return self.origin

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request to the vendor's API so far, in the order of arrival."""
        return self.application.log.all()

    @property
    def listeners(self) -> list[RequestListener]:
        """What is called after each request to the vendor's API; may be appended to."""
        return self.application.log.listeners

    @property
    def forgotten_requests(self) -> int:
        """The number of requests before those, see `limit_history`."""
        return self.application.log.forgotten

    def limit_history(self, requests: int, messages: int) -> None:
        """Keep only the latest requests, reports and messages from now on.

        Args:
            requests: How many requests, and reports that the vendor has sent.
            messages: How many accepted messages, or conversations; the vendor does not know older
                ones any more.
        """
        self.application.log.limit(requests)
        self._limit_state(requests, messages)

    @property
    def pending_faults(self) -> list[Rule]:
        """The rules that can still apply to a request or a report."""
        return self.application.plan.pending() + self.event_plan.pending()

    def fail_next(
        self, fault: Fault | str, *, times: int = 1, match: Match | None = None, skip: int = 0
    ) -> None:
        """Let the next matching requests fail; see `rule`."""
        self.add_rule(self.rule(fault, times=times, match=match, skip=skip))

    def rule(self, fault: Fault | str, *, match: Match | None = None, **options: Any) -> Rule:
        """Build a rule for `add_rule`.

        Args:
            fault: A fault, or the vendor's error code as its name.
            match: The requests; by default those that the fault can apply to.
            options: The other attributes of `Rule`.

        Raises:
            ValueError: No fault has this name, or an option is out of range.
        """
        found = self.named_fault(fault) if isinstance(fault, str) else fault
        return Rule(fault=found, match=match or self.default_match(found), **options)

    def add_rule(self, rule: Rule) -> None:
        """Append a rule to the plan of requests or of reports.

        Raises:
            ValueError: This vendor's fake does not support the fault.
        """
        kind = rule.fault.kind
        if kind not in self.fault_kinds:
            raise ValueError(f"fault: {type(self).__name__} does not support {kind}")
        (self.event_plan if kind in self.event_faults else self.application.plan).add(rule)

    def named_fault(self, name: str) -> Fault:
        """Return the fault that responds with the vendor's error code of this name.

        Raises:
            ValueError: There is none.
        """
        if name not in self.named_faults:
            known = ", ".join(sorted(self.named_faults))
            raise ValueError(f"fault: {name!r} is not a known name; known are {known}")
        return self.named_faults[name]

    def default_match(self, fault: Fault) -> Match:
        """Return the requests, or the reports, that a fault applies to by default."""
        if fault.kind in self.own_requests:
            return self.own_requests[fault.kind]
        is_of_requests = fault.kind in self.vendor_faults - self.event_faults
        return self.vendor_requests if is_of_requests else ANY_REQUEST

    def remove_faults(self, applies_to: Callable[[Fault], bool]) -> None:
        """Remove the rules of some faults."""
        self.application.plan.remove(applies_to)
        self.event_plan.remove(applies_to)

    def clear_faults(self) -> None:
        """Remove all rules."""
        self.application.plan.clear()
        self.event_plan.clear()

    def reset(self) -> None:
        """Clear rules, requests and the vendor's state; settings stay."""
        self.clear_faults()
        self.application.log.clear()
        self.clear_state()

    def _limit_state(self, reports: int, messages: int) -> None:
        """Keep only the latest reports and messages from now on; by default all."""

    @abstractmethod
    def clear_state(self) -> None:
        """Clear the vendor's state."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the vendor's state as JSON values, without secrets."""

    def inboxes(self) -> Mapping[str, Sequence[InboxMessage]]:
        """Return what recipients have received, by address, oldest first; by default nothing."""
        return {}

    def accepted(self, number: int) -> Sequence[InboxMessage]:  # noqa: ARG002 - for fakes that send
        """Return the latest accepted messages, the newest first.

        Those that do not reach their recipient are among them.

        Args:
            number: How many at most.
        """
        return ()

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the present position, and what recipients have received since an earlier one.

        Args:
            position: 0 for everything that there still is, oldest first.
        """
        return position, []

    @abstractmethod
    def error_response(self, fault: Fault) -> Response:
        """Return the vendor's error response for a fault of kind `error`."""


def _control_routes(service: FakeService[Any]) -> Blueprint:
    """Build the routes below `/_control/`, which are not recorded and never fail.

    `POST faults` adds a rule (`{"fault": {"kind": …} or "<name>", "match": {…}, "times": 1, …}`),
    `GET faults` lists the active rules, `DELETE faults` removes them; `GET requests`, `GET state`,
    `GET inboxes`, all or those since the `position` of an earlier response (`?since=`);
    `PATCH settings` changes some settings; `DELETE state` clears everything but the settings.
    """
    routes = Blueprint("control", __name__, url_prefix=CONTROL_PREFIX.rstrip("/"))
    _fault_routes(routes, service)
    _state_routes(routes, service)
    routes.register_error_handler(ValueError, _bad_request)
    return routes


def _fault_routes(routes: Blueprint, service: FakeService[Any]) -> None:
    @routes.post("/faults")
    def add_fault() -> tuple[Response, int]:
        body = _JSON_OBJECT.validate_json(request.get_data())
        if isinstance(body.get("fault"), str):
            body["fault"] = service.named_fault(body["fault"])
        rule = _RULE.validate_python(body)
        if not body.get("match"):
            rule = replace(rule, match=service.default_match(rule.fault))
        service.add_rule(rule)
        return list_faults(), HTTPStatus.CREATED

    @routes.get("/faults")
    def list_faults() -> Response:
        rules = [asdict(rule) for rule in service.pending_faults]
        for rule in rules:
            del rule["match"]["predicate"]
        return jsonify(rules)

    @routes.delete("/faults")
    def clear_faults() -> tuple[str, int]:
        service.clear_faults()
        return "", HTTPStatus.NO_CONTENT


def _state_routes(routes: Blueprint, service: FakeService[Any]) -> None:
    @routes.get("/requests")
    def list_requests() -> Response:
        found = jsonify([asdict(recorded) for recorded in service.requests])
        found.headers["X-Forgotten"] = str(service.forgotten_requests)
        return found

    @routes.get("/state")
    def show_state() -> Response:
        return jsonify(service.state() | {"settings": asdict(service.settings)})

    @routes.get("/inboxes")
    def show_inboxes() -> Response:
        if "since" in request.args:
            position, found = service.inbox_since(int(request.args["since"]))
            return jsonify({"position": position, "messages": [asdict(one) for one in found]})
        inboxes = service.inboxes().items()
        return jsonify({address: [asdict(one) for one in inbox] for address, inbox in inboxes})

    @routes.delete("/state")
    def reset() -> tuple[str, int]:
        service.reset()
        return "", HTTPStatus.NO_CONTENT

    @routes.patch("/settings")
    def change_settings() -> Response:
        changes = _JSON_OBJECT.validate_json(request.get_data())
        unknown = changes.keys() - asdict(service.settings).keys()
        if unknown:
            raise ValueError(f"settings: {', '.join(sorted(unknown))} are unknown")
        service.settings = replace(service.settings, **changes)
        return jsonify(asdict(service.settings))


def _bad_request(error: ValueError) -> tuple[Response, int]:
    if isinstance(error, ValidationError):
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        ]
    else:
        problems = [str(error)]
    return jsonify({"problems": problems}), HTTPStatus.BAD_REQUEST
