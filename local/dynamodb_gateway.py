"""A loopback pass-through in front of DynamoDB that can be told to fail."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from werkzeug import Request, Response

from local.dynamodb_wire import by_operation, end_to_end, error_answer
from local.stand_ins.calls import CallLog, RecordedCall
from local.stand_ins.fault_plan import FaultPlan, Match
from local.stand_ins.fault_plan import Rule as FaultRule
from local.stand_ins.faults import Fault
from local.stand_ins.faulty_application import FaultyApplication
from local.stand_ins.loopback_server import HOST, LoopbackServer
from local.stand_ins.waiting import Waiting

FORWARD_SECONDS = 30


class Refusal(Enum):
    """DynamoDB's own errors, as (HTTP status, error type, text) on the wire."""

    ACCESS_DENIED = (
        400,
        "com.amazon.coral.service#AccessDeniedException",
        "The role is not authorized to perform this operation on the table.",
    )
    THROTTLED = (
        400,
        "com.amazon.coral.availability#ThrottlingException",
        "Rate of requests exceeds the allowed throughput.",
    )
    SERVER_ERROR = (
        500,
        "com.amazonaws.dynamodb.v20120810#InternalServerError",
        "The request processing has failed because of an unknown error.",
    )

    def fault(self, *, effect_applied: bool = False) -> Fault:
        """The fault that answers so; with `effect_applied` the call takes effect all the same."""
        status, kind, text = self.value
        return Fault.error(status, kind, text, effect_applied=effect_applied)


Call = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """Which calls are refused, and how.

    Attributes:
        operation: DynamoDB's name of the operation, such as UpdateItem.
        refusal: the answer to them.
        when: told a call's parameters, says whether it is meant; by default each one is.
    """

    operation: str
    refusal: Refusal
    when: Callable[[Call], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A call that DynamoDB itself has answered, whatever its sender was told.

    Attributes:
        at: when it was answered, in seconds since the epoch.
        operation: DynamoDB's name of the operation.
        call: its parameters.
        status: HTTP status of DynamoDB's answer: 200, or a condition's failure or another error.
    """

    at: float
    operation: str
    call: Call
    status: int


class DynamoDBGateway:
    """Listens on a free loopback port for the length of a `with` block.

    It fails by the rules and faults of the stand-ins, to which each operation is a path of its own,
    such as `/UpdateItem`.

    Args:
        upstream: URL of the DynamoDB that answers what is not refused. It need not run before the
            first call.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._plan = FaultPlan()
        self._calls = CallLog()
        self._waiting = Waiting()
        self._forwarded: list[Forwarded] = []
        self._lock = threading.Lock()
        faulty = FaultyApplication(
            Request.application(self._forward),
            plan=self._plan,
            calls=self._calls,
            error_answer=error_answer,
            waiting=self._waiting,
        )
        self._server = LoopbackServer(by_operation(faulty), name="dynamodb-gateway")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.end()
        self._server.stop()

    @property
    def url(self) -> str:
        """What clients name as DynamoDB's endpoint."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def requests(self) -> list[RecordedCall]:
        """Every call so far with the answer that its sender got, in the order of arrival."""
        return self._calls.all()

    @property
    def forwarded(self) -> list[Forwarded]:
        """Every call that DynamoDB has answered, in the order of the answers."""
        with self._lock:
            return list(self._forwarded)

    @property
    def refused(self) -> int:
        """How many calls have failed by order."""
        return sum(call.fault is not None for call in self._calls.all())

    def refuse(self, rule: Rule) -> None:
        """Refuse the calls that a rule means, from now on."""
        meant = Match(
            paths=(f"/{rule.operation}",), predicate=lambda call: rule.when({**call.body})
        )
        self.add_rule(FaultRule(fault=rule.refusal.fault(), match=meant, times=None))

    def add_rule(self, rule: FaultRule) -> None:
        """Put a rule behind those already in force."""
        self._plan.add(rule)

    def allow_everything(self) -> None:
        """Drop every rule."""
        self._plan.clear()

    def forget(self) -> None:
        """Forget the calls so far; rules stay."""
        self._calls.clear()
        with self._lock:
            self._forwarded.clear()

    def _forward(self, request: Request) -> Response:
        upstream = http.client.HTTPConnection(
            self._upstream.hostname or HOST, self._upstream.port, timeout=FORWARD_SECONDS
        )
        try:
            headers = end_to_end(request.headers.items())
            upstream.request("POST", "/", request.get_data(), headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        call = json.loads(request.get_data())
        with self._lock:
            self._forwarded.append(Forwarded(time.time(), request.path[1:], call, answer.status))
        return Response(content, answer.status, end_to_end(answer.getheaders()))
