"""DynamoDB's HTTP, as far as a proxy has to know it."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug import Response

from local.stand_ins.faults import Fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "content-length"})


def by_operation(application: "WSGIApplication") -> "WSGIApplication":
    """Show each operation at a path of its own: DynamoDB has one path for all of them."""

    def shown(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        return application({**environ, "PATH_INFO": f"/{operation}"}, start_response)

    return shown


def error_answer(fault: Fault) -> Response:
    """DynamoDB's error answer for a fault."""
    answer = json.dumps({"__type": fault.code, "message": fault.message})
    return Response(answer, fault.status, content_type="application/x-amz-json-1.0")


def end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that are passed on; the others are about one connection."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}
