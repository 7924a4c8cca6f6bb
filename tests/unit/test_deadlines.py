"""Calls and work that are abandoned at their deadline."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, get_ident

import pytest

from lambda_src.core.deadlines import MAX_CALLS, call_with_deadline, map_with_deadline
from lambda_src.core.log import LOG_FIELDS
from tests.support.fakes import UnexpectedTestError

PLENTY = 60.0
"""Seconds that nothing here takes."""
SOON = 0.05
ENOUGH = 1.0
"""Seconds in which a busy machine, too, starts what hangs; all of them pass."""


@contextmanager
def hanging() -> Iterator[Callable[[object], bool]]:
    """A call that hangs until the context ends."""
    release = Event()
    try:
        yield lambda _: release.wait(PLENTY)
    finally:
        release.set()


def pool(workers: int = 2) -> Executor:
    """Return a pool of threads."""
    return ThreadPoolExecutor(workers)


def test_a_call_in_time_returns_or_raises_its_own() -> None:
    """As if it were called directly, with the log's fields of its message."""

    def fail() -> None:
        raise UnexpectedTestError

    with pytest.raises(UnexpectedTestError):
        call_with_deadline(PLENTY, fail)
    token = LOG_FIELDS.set({"conversation_id": "c-1"})
    assert {"conversation_id": "c-1"} == call_with_deadline(PLENTY, LOG_FIELDS.get)
    LOG_FIELDS.reset(token)


@pytest.mark.parametrize("seconds", [SOON, 0.0, -1.0])
def test_a_hanging_call_is_abandoned(seconds: float) -> None:
    """At once if no time is left."""
    with hanging() as hang, pytest.raises(TimeoutError):
        call_with_deadline(seconds, lambda: hang(None))


def test_a_call_that_waited_too_long_is_never_made() -> None:
    """Behind as many hanging calls as there may be."""
    started: list[bool] = []
    made: list[str] = []
    with hanging() as hang:

        def hold() -> None:
            started.append(True)
            hang(None)

        while len(started) < MAX_CALLS:
            with suppress(TimeoutError):
                call_with_deadline(0.0005, hold)
        with pytest.raises(TimeoutError):
            call_with_deadline(SOON, lambda: made.append("too late"))
    call_with_deadline(PLENTY, lambda: made.append("in time"))
    assert ["in time"] == made


def test_calls_share_threads() -> None:
    """A thread serves call after call."""
    threads = {call_with_deadline(PLENTY, get_ident) for _ in range(2 * MAX_CALLS)}
    assert len(threads) <= MAX_CALLS


def test_all_work_in_time_is_done() -> None:
    """Every item, however few workers there are."""
    seen: list[int] = []
    assert map_with_deadline(PLENTY, seen.append, range(5), pool(1))
    assert [0, 1, 2, 3, 4] == seen


def test_hanging_work_is_abandoned() -> None:
    """Items that were not started never are."""
    seen: list[str] = []
    with hanging() as hang:

        def work(item: str) -> None:
            seen.append(item)
            if item == "hangs":
                hang(None)

        assert not map_with_deadline(ENOUGH, work, ["quick", "hangs", "waits"], pool(1))
    assert ["quick", "hangs"] == seen


def test_the_end_of_the_process_is_not_suppressed() -> None:
    """An exception that no message may catch is raised."""

    def exit_process(_: int) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        map_with_deadline(PLENTY, exit_process, [1], pool())
