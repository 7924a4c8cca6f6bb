"""The calls that a handler makes to AWS, each of which may fail before or after its effect."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from threading import Lock
from typing import Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.hooks import BaseEventHooks

_NOWHERE = "http://127.0.0.1"


class Moment(Enum):
    """When a call fails."""

    BEFORE = "before its effect"
    AFTER = "after its effect, its answer being lost"


@dataclass
class Boundaries:
    """Sees every call of a session's clients, and lets one fail.

    Attributes:
        calls: The calls so far, as `UpdateItem#2`, in their order.
        fails: The call that is to fail, and when.
    """

    calls: list[str] = field(default_factory=list)
    fails: tuple[str, Moment] | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def watch(self, events: BaseEventHooks) -> None:
        """See the calls of all clients that are made of these events' session from now on."""
        events.register("before-call", self._before)
        events.register("after-call", self._after)

    def begin(self, fails: tuple[str, Moment] | None = None) -> None:
        """Count anew, and let that call fail."""
        self.calls, self.fails = [], fails
        self._counts.clear()

    def _before(self, model: Any, context: dict[str, Any], **_: object) -> None:
        with self._lock:
            self._counts[model.name] += 1
            call = f"{model.name}#{self._counts[model.name]}"
            self.calls.append(call)
        context["boundary"] = call
        if self.fails == (call, Moment.BEFORE):
            raise ConnectTimeoutError(endpoint_url=_NOWHERE)

    def _after(self, context: dict[str, Any], **_: object) -> None:
        if self.fails == (context.get("boundary"), Moment.AFTER):
            raise ReadTimeoutError(endpoint_url=_NOWHERE)
