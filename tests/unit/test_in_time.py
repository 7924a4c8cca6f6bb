"""Work that is given up when its time is over."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, get_ident

import pytest

from lambda_src.core import log_context
from lambda_src.core.in_time import MOST_CALLS, done_within, within
from tests.unit.fakes.faults import Unforeseen

PLENTY = 60.0
"""Seconds that nothing here takes."""
SOON = 0.05
ENOUGH = 1.0
"""Seconds for a busy machine, too, to begin what hangs: the whole of it is waited for."""


@contextmanager
def hanging() -> Iterator[Callable[[object], bool]]:
    """A call that hangs until the context ends."""
    release = Event()
    try:
        yield lambda _: release.wait(PLENTY)
    finally:
        release.set()


def pool(workers: int = 2) -> Executor:
    """Threads."""
    return ThreadPoolExecutor(workers)


def test_a_call_in_time_gives_its_result() -> None:
    """As if it were called directly."""
    assert "done" == within(PLENTY, lambda: "done")


def test_what_a_call_raises_is_raised() -> None:
    """Errors come through as they are."""

    def fail() -> None:
        raise Unforeseen

    with pytest.raises(Unforeseen):
        within(PLENTY, fail)


@pytest.mark.parametrize("seconds", [SOON, 0.0, -1.0])
def test_a_call_that_hangs_is_given_up(seconds: float) -> None:
    """Whatever keeps it, and at once where no time is left."""
    with hanging() as hang, pytest.raises(TimeoutError):
        within(seconds, lambda: hang(None))


def test_a_call_that_had_to_wait_for_too_long_is_never_made() -> None:
    """Behind as many calls that hang as there may be."""
    begun: list[bool] = []
    made: list[str] = []
    with hanging() as hang:

        def hold() -> None:
            begun.append(True)
            hang(None)

        while len(begun) < MOST_CALLS:
            with suppress(TimeoutError):
                within(SOON / 10, hold)
        with pytest.raises(TimeoutError):
            within(SOON, lambda: made.append("too late"))
    within(PLENTY, lambda: made.append("in time"))
    assert ["in time"] == made


def test_calls_share_threads() -> None:
    """A thread serves call after call."""
    threads = {within(PLENTY, get_ident) for _ in range(2 * MOST_CALLS)}
    assert len(threads) <= MOST_CALLS


def test_a_call_knows_whose_it_is() -> None:
    """What it logs carries the ids of the message at hand."""
    with log_context.bound(conversation_id="c-1"):
        assert {"conversation_id": "c-1"} == within(PLENTY, log_context.current)


def test_all_work_in_time_is_done() -> None:
    """Every item, however few work at once."""
    seen: list[int] = []
    assert done_within(PLENTY, seen.append, range(5), pool(1))
    assert [0, 1, 2, 3, 4] == seen


def test_work_that_hangs_is_left() -> None:
    """What ended in time has ended, what was not begun never is."""
    seen: list[str] = []
    with hanging() as hang:

        def work(item: str) -> None:
            seen.append(item)
            if item == "hangs":
                hang(None)

        assert not done_within(ENOUGH, work, ["quick", "hangs", "waits"], pool(1))
    assert ["quick", "hangs"] == seen


def test_an_end_of_everything_is_not_kept_back() -> None:
    """What no message may catch, such as the end of the process, goes on."""

    def end(_: int) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        done_within(PLENTY, end, [1], pool())
