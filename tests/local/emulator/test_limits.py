"""What the embedded AWS keeps, and for how long: log lines, values of metrics, items, processes."""

import copy
import json
import queue
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator import ministack_process
from local.emulator.ministack_process import (
    CHUNK_LINES,
    IDLE_SECONDS,
    Items,
    LineHistory,
    Payload,
    Values,
    end_idle_processes,
)

LINES = [(number, "stream", str(number)) for number in range(2 * CHUNK_LINES + 7)]


@pytest.mark.parametrize("limit", [3 * CHUNK_LINES, CHUNK_LINES])
@pytest.mark.parametrize("after", [0, 1, CHUNK_LINES, CHUNK_LINES + 1, len(LINES) - 1, len(LINES)])
def test_lines_are_read_from_a_position(
    monkeypatch: pytest.MonkeyPatch, limit: int, after: int
) -> None:
    """All lines from a position on are read in parts; the first position shows dropped ones."""
    monkeypatch.setattr(ministack_process, "KEPT_LINES", limit)
    monkeypatch.setattr(ministack_process, "MAX_LINES", 300)
    history = LineHistory()
    for start in range(0, len(LINES), 37):
        history.append(LINES[start : start + 37])
    oldest = 0 if limit > len(LINES) else CHUNK_LINES
    position, found = after, []
    while position < history.end:
        first, lines = history.read(position)
        found += [tuple(line) for line in lines]
        assert max(position, oldest) == first
        position = first + len(lines)
    assert LINES[max(after, oldest) :] == found


def test_equal_values_of_a_minute_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is counted for its minute, others are kept as they are, and only the latest ones."""
    monkeypatch.setattr(ministack_process, "KEPT_VALUES", 10)
    values = Values()
    for second, value in [(0, 1.0), (1, 1.0), (2, 2.0), (59, 1.0), (60, 1.0)]:
        values.append({"Timestamp": second, "Unit": "None", "Value": value, "Dimensions": {}})
    assert [(1.0, 3), (2.0, 1), (1.0, 1)] == [(v["Value"], v.get("Count", 1)) for v in values]
    for value in range(100):
        values.append({"Timestamp": 60, "Unit": "None", "Value": value, "Dimensions": {}})
    assert (99, True) == (values[-1]["Value"], len(values) <= 10)


def test_compressed_items_are_a_mapping() -> None:
    """Compressed items are read as they were stored, and take a fraction of their text."""
    items, item = Items(), {"id": {"S": "a"}, "text": {"S": "word " * 500}}
    items["a"], items["b"] = item, {}
    assert (item, None, {}) == (items.get("a"), items.get("c"), items.pop("b"))
    assert [("a", item)] == items.items() == copy.deepcopy(items).items()
    assert [item] == items.values()
    stored = dict.get(items, "a")
    assert isinstance(stored, bytes)
    assert len(stored) < len(json.dumps(item)) / 10


def test_a_digest_equals_its_request() -> None:
    """A transaction's request is recognized by its digest, whatever the order of its keys."""
    assert Payload({"a": 1, "b": [2]}) == {"b": [2], "a": 1}
    assert Payload({"a": 1}) != {"a": 2}


def test_idle_processes_end() -> None:
    """A function's process ends when it was idle for long, unless log lines of it are unread."""
    ended: list[Any] = []
    old, unread = time.time() - IDLE_SECONDS - 1, queue.Queue[str]()
    unread.put("logged after the response")

    def worker(last_used: float, *, in_use: bool = False, lines: Any = None) -> Any:
        return SimpleNamespace(
            last_used=last_used, in_use=in_use, _stderr_queue=lines or queue.Queue()
        )

    idle, *others = (
        worker(old),
        worker(old, in_use=True),
        worker(old, lines=unread),
        worker(time.time()),
    )
    runtime = SimpleNamespace(
        _lock=threading.Lock(), _workers={"a": [idle, *others]}, kill_workers=ended.extend
    )
    end_idle_processes(runtime)
    assert ([idle], others) == (ended, runtime._workers["a"])
