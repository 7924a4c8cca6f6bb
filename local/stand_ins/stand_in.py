"""What every stand-in is: a vendor's application behind the fault layer, on a loopback port."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from flask import Flask
from werkzeug.wrappers import Response

from local.stand_ins.calls import CallLog, RecordedCall
from local.stand_ins.control import control_routes
from local.stand_ins.fault_plan import FaultPlan, Match, Rule
from local.stand_ins.faults import COMMON_FAULTS, Fault, FaultKind
from local.stand_ins.faulty_application import FaultyApplication
from local.stand_ins.loopback_server import HOST, LoopbackServer
from local.stand_ins.waiting import Waiting

SettingsT = TypeVar("SettingsT")


class StandIn(ABC, Generic[SettingsT]):
    """A vendor's HTTP API on 127.0.0.1, from `start` to `stop` or as a context manager.

    Everything here can also be asked for over HTTP, see `control_routes`.

    Attributes:
        application: The same API without the wire, over WSGI.
        settings: How it behaves; assign another value at any time.
        waiting: How requests wait.
        own_faults: Kinds of faults that this vendor's application plays itself.
    """

    own_faults: ClassVar[frozenset[FaultKind]] = frozenset()

    def __init__(
        self,
        application: Flask,
        *,
        settings: SettingsT,
        named_faults: Mapping[str, Fault],
        port: int = 0,
    ) -> None:
        self.settings = settings
        self._plan = FaultPlan()
        self._calls = CallLog()
        self._named_faults = named_faults
        self.waiting = Waiting()
        # A dropped connection inside the application must reach the server, not become a 500.
        application.config["PROPAGATE_EXCEPTIONS"] = True
        application.register_blueprint(control_routes(self))
        self.application = FaultyApplication(
            application,
            plan=self._plan,
            calls=self._calls,
            error_answer=self.error_answer,
            waiting=self.waiting,
        )
        self._server = LoopbackServer(self.application, name=type(self).__name__, port=port)

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a path.

        Raises:
            RuntimeError: It is not running.
        """
        return f"http://{HOST}:{self._server.port}"

    @property
    @abstractmethod
    def base_url(self) -> str:
        """What the vendor's SDK takes as its base URL."""

    @property
    def requests(self) -> list[RecordedCall]:
        """Every request to the vendor's API so far, in the order of arrival."""
        return self._calls.all()

    @property
    def pending_faults(self) -> list[Rule]:
        """The rules that can still befall a request."""
        return self._plan.pending()

    def start(self) -> None:
        """Listen and serve.

        Raises:
            OSError: The port cannot be listened on.
        """
        self.waiting.allow()
        self._server.start()

    def stop(self) -> None:
        """Stop serving; requests under way are cut off, and every thread has ended."""
        self.waiting.end()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def fail_next(
        self, fault: Fault | str, *, times: int = 1, match: Match | None = None, skip: int = 0
    ) -> None:
        """Let the next matching requests fail.

        Args:
            fault: What goes wrong: a fault, or the vendor's error code as a name.
            times: How many requests fail.
            match: Which requests are meant; by default those that can show this fault.
            skip: How many matching requests pass first.

        Raises:
            ValueError: No fault has this name.
        """
        self.add_rule(self.rule(fault, times=times, match=match, skip=skip))

    def rule(self, fault: Fault | str, *, match: Match | None = None, **options: Any) -> Rule:
        """A rule for `add_rule`, with names resolved and the fault's usual requests filled in.

        Args:
            fault: What goes wrong: a fault, or the vendor's error code as a name.
            match: Which requests are meant; by default those that can show this fault.
            options: The other attributes of `Rule`.

        Raises:
            ValueError: No fault has this name, or an option is out of its range.
        """
        found = self.named_fault(fault) if isinstance(fault, str) else fault
        return Rule(fault=found, match=match or self.usual_match(found), **options)

    def add_rule(self, rule: Rule) -> None:
        """Put a rule behind those already in force.

        Raises:
            ValueError: This vendor knows no such fault.
        """
        kind = rule.fault.kind
        if kind not in COMMON_FAULTS | self.own_faults:
            raise ValueError(f"fault: {kind} is not one that {type(self).__name__} can show")
        self._plan.add(rule)

    def named_fault(self, name: str) -> Fault:
        """The fault that answers with the vendor's error code of this name.

        Raises:
            ValueError: There is none.
        """
        if name not in self._named_faults:
            known = ", ".join(sorted(self._named_faults))
            raise ValueError(f"fault: {name!r} is no known name; known are {known}")
        return self._named_faults[name]

    def clear_faults(self) -> None:
        """Let every request pass from now on."""
        self._plan.clear()

    def reset(self) -> None:
        """Forget all faults, calls and the vendor's state; settings stay."""
        self._plan.clear()
        self._calls.clear()
        self.forget()

    @abstractmethod
    def forget(self) -> None:
        """Forget the vendor's state."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The vendor's state as JSON can show it, without secrets."""

    @abstractmethod
    def usual_match(self, fault: Fault) -> Match:
        """The requests that can show this fault."""

    @abstractmethod
    def error_answer(self, fault: Fault) -> Response:
        """The vendor's error answer for a fault of the kind `error`."""
