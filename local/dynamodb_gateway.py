"""A loopback pass-through in front of DynamoDB that can be told to refuse chosen calls."""

import http.client
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from werkzeug import Request, Response

from local.stand_ins.loopback_server import HOST, LoopbackServer

FORWARD_SECONDS = 30
HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "content-length"})


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


class DynamoDBGateway:
    """Listens on a free loopback port for the length of a `with` block.

    Args:
        upstream: URL of the DynamoDB that answers what is not refused. It need not run before the
            first call.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._rules: list[Rule] = []
        self._refused = 0
        self._lock = threading.Lock()
        self._server = LoopbackServer(Request.application(self._answer), name="dynamodb-gateway")

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
        """What clients name as DynamoDB's endpoint."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def refused(self) -> int:
        """How many calls have been refused."""
        return self._refused

    def refuse(self, rule: Rule) -> None:
        """Refuse the calls that a rule means, from now on."""
        with self._lock:
            self._rules.append(rule)

    def allow_everything(self) -> None:
        """Drop every rule."""
        with self._lock:
            self._rules.clear()

    def _answer(self, request: Request) -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        refusal = self._refusal_of(operation, json.loads(request.get_data()))
        return _refused(refusal) if refusal else self._forwarded(request)

    def _refusal_of(self, operation: str, call: Call) -> Refusal | None:
        with self._lock:
            for rule in self._rules:
                if rule.operation == operation and rule.when(call):
                    self._refused += 1
                    return rule.refusal
        return None

    def _forwarded(self, request: Request) -> Response:
        upstream = http.client.HTTPConnection(
            self._upstream.hostname or HOST, self._upstream.port, timeout=FORWARD_SECONDS
        )
        try:
            headers = _end_to_end(request.headers.items())
            upstream.request("POST", request.path, request.get_data(), headers)
            answer = upstream.getresponse()
            return Response(answer.read(), answer.status, _end_to_end(answer.getheaders()))
        finally:
            upstream.close()


def _refused(refusal: Refusal) -> Response:
    status, kind, text = refusal.value
    answer = json.dumps({"__type": kind, "message": text})
    return Response(answer, status, content_type="application/x-amz-json-1.0")


def _end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}
