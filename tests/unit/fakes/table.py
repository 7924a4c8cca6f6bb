"""A table in memory: conditional writes, each applied whole or not at all, and told to go wrong."""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

from lambda_src.core.context import RecordKey
from lambda_src.core.ledger import ConditionFailed
from tests.unit.fakes.faults import Fault, Plan
from tests.unit.fakes.ledger_faults import go_wrong
from tests.unit.fakes.record import Record


def nothing() -> None:
    """What most writes do besides."""


class FakeTable:
    """Holds records.

    `records` is what stands in it, `writes` names the writes that were applied, `before` holds what
    another worker does just before the next call of that name.
    """

    def __init__(self) -> None:
        self.records: dict[RecordKey, Record] = {}
        self.writes: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}
        self._faults: Plan[Fault] = Plan()
        self._lock = Lock()

    def fail(self, call: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of that name go wrong."""
        self._faults.add(call, fault, times)

    def alter(self, key: RecordKey, **changes: Any) -> None:
        """Change a record as another worker might."""
        self.records[key] = replace(self.records[key], **changes)

    def _read(self, name: str) -> list[Record]:
        go_wrong(name, self._faults.pop(name))
        with self._lock:
            return list(self.records.values())

    def _put(self, name: str, record: Record, besides: Callable[[], None]) -> None:
        self._write(name, record.key, lambda found: record if found is None else None, besides)

    def _update(
        self,
        name: str,
        key: RecordKey,
        allowed: Callable[[Record], bool],
        besides: Callable[[], None] = nothing,
        **changes: Any,
    ) -> None:
        def changed(found: Record | None) -> Record | None:
            return replace(found, **changes) if found and allowed(found) else None

        self._write(name, key, changed, besides)

    def _write(
        self,
        name: str,
        key: RecordKey,
        changed: Callable[[Record | None], Record | None],
        besides: Callable[[], None],
    ) -> None:
        self.before.pop(name, lambda: None)()
        fault = self._faults.pop(name)
        if fault not in {Fault.ANSWER_LOST, Fault.REPEATED}:
            go_wrong(name, fault)
        with self._lock:
            for _ in range(2 if fault is Fault.REPEATED else 1):
                self._apply(name, key, changed, besides)
        go_wrong(name, fault)

    def _apply(
        self,
        name: str,
        key: RecordKey,
        changed: Callable[[Record | None], Record | None],
        besides: Callable[[], None],
    ) -> None:
        found = self.records.get(key)
        after = changed(found)
        if after is None:
            raise ConditionFailed(found.entry() if found else None)
        besides()
        self.records[key] = after
        self.writes.append(name)
