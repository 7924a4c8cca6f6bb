"""Which request fails in which way: rules, tried in the order in which they were given."""

import json
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from local.stand_ins.calls import RecordedCall
from local.stand_ins.faults import STRICT, Fault


@dataclass(frozen=True, slots=True, config=STRICT)
class Match:
    """Which requests a rule means; what is not given fits every request.

    Attributes:
        method: HTTP method.
        paths: Shell-style patterns of the URL's path, of which one must fit.
        contains: Text that must stand in the request's parameters or body.
        predicate: Any other condition (in-process only).
    """

    method: str | None = None
    paths: tuple[str, ...] = ()
    contains: str | None = None
    predicate: Callable[[RecordedCall], bool] | None = None

    def fits(self, call: RecordedCall) -> bool:
        """Whether the request is one of those that are meant."""
        return (
            self.method in {None, call.method}
            and (not self.paths or any(fnmatchcase(call.path, path) for path in self.paths))
            and (self.contains is None or self.contains in _text(call))
            and (self.predicate is None or self.predicate(call))
        )


ANY_REQUEST = Match()


@dataclass(frozen=True, slots=True, config=STRICT)
class Rule:
    """A fault and the requests that it befalls.

    Attributes:
        fault: What goes wrong.
        match: Which requests are meant.
        times: How often in all; None for always.
        skip: How many matching requests pass first.
        probability: Chance for each matching request, from 0 to 1.
        seed: Start of the rule's own random numbers, so that a run can be repeated.
    """

    fault: Fault
    match: Match = ANY_REQUEST
    times: Annotated[int, Field(ge=1)] | None = 1
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int = 0


class FaultPlan:
    """The rules in force; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_ActiveRule] = []

    def add(self, rule: Rule) -> None:
        """Put a rule at the end of the list."""
        with self._lock:
            self._active.append(_ActiveRule(rule))

    def take(self, call: RecordedCall) -> Fault | None:
        """The fault of the first rule that befalls this request, if one does."""
        with self._lock:
            for active in self._active:
                if active.befalls(call):
                    self._active = [rule for rule in self._active if not rule.spent]
                    return active.rule.fault
        return None

    def pending(self) -> list[Rule]:
        """The rules that can still befall a request, as they were given."""
        with self._lock:
            return [active.rule for active in self._active]

    def clear(self) -> None:
        """Let every request pass."""
        with self._lock:
            self._active.clear()


class _ActiveRule:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._to_skip = rule.skip
        self._left = rule.times
        self._random = Random(rule.seed)  # noqa: S311  # repeatable faults, no cryptography

    @property
    def spent(self) -> bool:
        return self._left == 0

    def befalls(self, call: RecordedCall) -> bool:
        if not self.rule.match.fits(call):
            return False
        if self._to_skip > 0:
            self._to_skip -= 1
            return False
        if self._random.random() >= self.rule.probability:
            return False
        if self._left is not None:
            self._left -= 1
        return True


def _text(call: RecordedCall) -> str:
    return json.dumps([dict(call.query), dict(call.body)], ensure_ascii=False)
