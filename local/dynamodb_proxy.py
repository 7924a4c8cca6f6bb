"""A loopback proxy in front of DynamoDB that can inject faults."""

import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from flask import Flask, request
from werkzeug import Response

from local.fakes.faults import ANY_REQUEST, Fault, Match, Rule
from local.fakes.server import CONTROL_PREFIX, HOST
from local.fakes.service import FakeService

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


OPERATIONS = (
    *("GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
    "TransactWriteItems",
)


class DynamoDBProxy(FakeService[None]):
    """Forwards requests to a DynamoDB, with the faults and the control API of a fake.

    The path of an operation is its name, as `/UpdateItem`.

    Args:
        upstream: URL of the DynamoDB, which need not run before the first request.
    """

    request_groups: ClassVar[Mapping[str, Match]] = {
        "all": ANY_REQUEST,
        **{operation: Match(paths=(f"/{operation}",)) for operation in OPERATIONS},
    }
    selector = (".+", "the recipient's address, the conversation's id or a part of one")

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        application = Flask("dynamodb", static_folder=None)
        application.post("/<operation>")(self._forward)
        named_faults = {error.name.lower(): error.fault() for error in DynamoDBError}
        super().__init__(application, settings=None, named_faults=named_faults)

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

    def clear_history(self) -> None:
        """Forget the requests so far; rules stay in force."""
        self.application.log.clear()

    def clear_state(self) -> None:
        """Do nothing: the state is DynamoDB's."""

    def state(self) -> dict[str, Any]:
        """Return nothing: the state is DynamoDB's."""
        return {}

    def error_response(self, fault: Fault) -> Response:
        """Return the error response of a fault."""
        body = json.dumps({"__type": fault.code, "message": fault.message})
        return Response(body, fault.status, content_type="application/x-amz-json-1.0")

    def respond(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Give each operation a path of its own: DynamoDB has one path for all of them."""
        if environ["PATH_INFO"].startswith(CONTROL_PREFIX):
            return super().respond(environ, start_response)
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        return super().respond({**environ, "PATH_INFO": f"/{operation}"}, start_response)

    def _forward(self, operation: str) -> Response:  # noqa: ARG002 - the path's
        upstream = http.client.HTTPConnection(
            self._upstream.hostname or HOST, self._upstream.port, timeout=UPSTREAM_SECONDS
        )
        try:
            upstream.request("POST", "/", request.get_data(), _end_to_end(request.headers.items()))
            response = upstream.getresponse()
            content = response.read()
        finally:
            upstream.close()
        return Response(content, response.status, _end_to_end(response.getheaders()))


def _end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers to forward; the others concern a single connection."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}
