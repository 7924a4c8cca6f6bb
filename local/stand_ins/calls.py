"""What a stand-in was asked, in the order of arrival, without any secret."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pydantic_core
from werkzeug.wrappers import Request

from local.stand_ins.faults import FaultKind


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One request, without its headers: they carry the credentials.

    Attributes:
        number: Position in the order of arrival, from 0.
        method: HTTP method.
        path: Path of the URL.
        query: Parameters of the URL.
        body: The JSON object or the form; empty if there was none or it was neither.
        at: Arrival, in seconds since the epoch.
        status: The answer's HTTP status; None while there is none, and where none was sent.
        fault: What went wrong by order, if anything did.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)
    at: float
    status: int | None = None
    fault: FaultKind | None = None


class CallLog:
    """The calls so far; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[RecordedCall] = []

    def begin(self, request: Request) -> RecordedCall:
        """Record a request's arrival."""
        body = _body(request)
        query = request.args.to_dict()
        with self._lock:
            call = RecordedCall(
                number=len(self._calls),
                method=request.method,
                path=request.path,
                query=query,
                body=body,
                at=time.time(),
            )
            self._calls.append(call)
        return call

    def finish(
        self, call: RecordedCall, *, status: int | None = None, fault: FaultKind | None = None
    ) -> None:
        """Record what became of a call; one that was cleared meanwhile is passed over."""
        with self._lock:
            if call.number < len(self._calls) and self._calls[call.number].at == call.at:
                self._calls[call.number] = replace(call, status=status, fault=fault)

    def all(self) -> list[RecordedCall]:
        """The calls in the order of arrival, as they stand now."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._calls.clear()


def _body(request: Request) -> Mapping[str, Any]:
    if request.mimetype == "application/x-www-form-urlencoded":
        return request.form.to_dict()
    try:
        content = pydantic_core.from_json(request.get_data())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
