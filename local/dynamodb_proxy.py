"""A loopback proxy in front of DynamoDB that can inject faults."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from werkzeug import Request, Response

from local.fakes.faults import Fault, Match, RecordedRequest, Rule
from local.fakes.server import HOST, FaultInjectionMiddleware, LoopbackServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

UPSTREAM_SECONDS = 30
HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "content-length"})

Parameters = dict[str, Any]


class DynamoDBError(Enum):
    """DynamoDB's errors, as HTTP status, error type and message."""

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
        """Return the fault that responds with this error, after the effect if `effect_applied`."""
        status, kind, text = self.value
        return Fault.error(status, kind, text, effect_applied=effect_applied)


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """A request that DynamoDB has responded to, whatever its sender received.

    Attributes:
        at: when DynamoDB responded, in epoch seconds.
        operation: DynamoDB's name of the operation.
        parameters: the operation's parameters.
        status: HTTP status of DynamoDB's response; not 200 if a condition failed, for example.
    """

    at: float
    operation: str
    parameters: Parameters
    status: int


class DynamoDBProxy:
    """Listens on a free loopback port for the length of a `with` block.

    Rules and faults are those of `local.fakes`; an operation's path is its name, as `/UpdateItem`.

    Args:
        upstream: URL of the DynamoDB, which need not run before the first request.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._forwarded: list[ForwardedRequest] = []
        self._lock = threading.Lock()
        self._application = FaultInjectionMiddleware(
            Request.application(self._forward), error_response=_error_response
        )
        self._server = LoopbackServer(
            self._route_by_operation, name="dynamodb-proxy", wait=self._application.wait
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """The endpoint URL for clients."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far with the response to its sender, in the order of arrival."""
        return self._application.log.all()

    @property
    def forwarded(self) -> list[ForwardedRequest]:
        """Every request that DynamoDB has responded to, in the order of the responses."""
        with self._lock:
            return list(self._forwarded)

    @property
    def failed_count(self) -> int:
        """The number of requests that failed by an injected fault."""
        return sum(request.fault is not None for request in self.requests)

    def fail(
        self,
        operation: str,
        error: DynamoDBError,
        applies_to: Callable[[Parameters], bool] = lambda _: True,
    ) -> None:
        """Let an operation fail from now on.

        Args:
            operation: DynamoDB's name of the operation, such as UpdateItem.
            error: the response.
            applies_to: selects the requests by their parameters; all by default.
        """
        match = Match(paths=(f"/{operation}",), predicate=lambda each: applies_to({**each.body}))
        self.add_rule(Rule(fault=error.fault(), match=match, times=None))

    def add_rule(self, rule: Rule) -> None:
        """Append a rule to those in force."""
        self._application.plan.add(rule)

    def clear_rules(self) -> None:
        """Remove every rule."""
        self._application.plan.clear()

    def clear_history(self) -> None:
        """Forget the requests so far; rules stay in force."""
        self._application.log.clear()
        with self._lock:
            self._forwarded.clear()

    def _route_by_operation(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Give each operation a path of its own: DynamoDB has one path for all of them."""
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        return self._application({**environ, "PATH_INFO": f"/{operation}"}, start_response)

    def _forward(self, request: Request) -> Response:
        upstream = http.client.HTTPConnection(
            self._upstream.hostname or HOST, self._upstream.port, timeout=UPSTREAM_SECONDS
        )
        try:
            upstream.request("POST", "/", request.get_data(), _end_to_end(request.headers.items()))
            response = upstream.getresponse()
            content = response.read()
        finally:
            upstream.close()
        parameters = json.loads(request.get_data())
        forwarded = ForwardedRequest(time.time(), request.path[1:], parameters, response.status)
        with self._lock:
            self._forwarded.append(forwarded)
        return Response(content, response.status, _end_to_end(response.getheaders()))


def _error_response(fault: Fault) -> Response:
    body = json.dumps({"__type": fault.code, "message": fault.message})
    return Response(body, fault.status, content_type="application/x-amz-json-1.0")


def _end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers to forward; the others concern a single connection."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}
