"""One call at a time for each key; whoever asks meanwhile shares its outcome."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from lambda_src.services.single_flight import SingleFlight

THREADS = 5


class Call:
    """A call that goes on until it is let go; `count` is how often it was made."""

    def __init__(self, outcome: Callable[[], str]) -> None:
        self.count = 0
        self.begun = Event()
        self.let_go = Event()
        self._outcome = outcome

    def __call__(self) -> str:
        """Wait, then give the outcome."""
        self.count += 1
        self.begun.set()
        assert self.let_go.wait(5)
        return self._outcome()


def failing() -> str:
    """What goes wrong."""
    raise LookupError("gone")


def at_once(flight: SingleFlight[str], call: Call, pool: ThreadPoolExecutor) -> list[Future[str]]:
    """Ask from several threads while the call is under way, then let it go."""
    asked = [pool.submit(flight.call, "key", call) for _ in range(THREADS)]
    assert call.begun.wait(5)
    waiting = flight._under_way["key"]._condition._waiters  # type: ignore[attr-defined]  # of the standard library's own condition
    until = time.monotonic() + 5
    while len(waiting) < THREADS - 1 and time.monotonic() < until:
        time.sleep(0.001)
    assert "other" == flight.call("another key", lambda: "other")
    call.let_go.set()
    return asked


@pytest.fixture
def flight() -> SingleFlight[str]:
    """What is tested."""
    return SingleFlight()


def test_one_call_serves_all_who_ask_meanwhile(flight: SingleFlight[str]) -> None:
    """Each gets its result; a call for another key does not wait for it."""
    call = Call(lambda: "value")
    with ThreadPoolExecutor(THREADS) as pool:
        results = [future.result() for future in at_once(flight, call, pool)]

    assert ["value"] * THREADS == results
    assert 1 == call.count


def test_one_failure_is_told_to_all_who_ask_meanwhile(flight: SingleFlight[str]) -> None:
    """Nobody tries in turn what just failed."""
    call = Call(failing)
    with ThreadPoolExecutor(THREADS) as pool:
        errors = [future.exception() for future in at_once(flight, call, pool)]

    assert ["gone"] * THREADS == [str(error) for error in errors]
    assert 1 == call.count


@pytest.mark.parametrize("outcome", [lambda: "value", failing], ids=["result", "failure"])
def test_a_call_that_is_over_is_not_kept(
    flight: SingleFlight[str], outcome: Callable[[], str]
) -> None:
    """The next one to ask calls anew, after a failure too."""
    call = Call(outcome)
    call.let_go.set()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flight.call, "key", call).exception()

    assert "anew" == flight.call("key", lambda: "anew")
