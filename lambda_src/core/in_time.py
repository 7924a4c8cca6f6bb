"""Work that is given up when its time is over, whatever keeps it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Call, and wait for the result no longer than that.

    Timeouts of sockets leave gaps: the lookup of a name, several addresses of a host, an answer
    that trickles in. Here nothing does. A call that is given up goes on in its own thread, and what
    comes of it is dropped: for calls that do no harm when they end late.

    Raises:
        TimeoutError: The time is over.
    """
    future: Future[T] = Future()
    context = copy_context()
    Thread(target=_fulfil, args=(future, context.run, call), daemon=True, name="in-time").start()
    return future.result(max(0.0, seconds))


def _fulfil(future: Future[T], run: Callable[[Callable[[], T]], T], call: Callable[[], T]) -> None:
    try:
        future.set_result(run(call))
    except BaseException as error:  # noqa: BLE001 - raised again to the one who waits
        future.set_exception(error)


def done_within(
    seconds: float, work: Callable[[T], object], items: Sequence[T], pool: Executor
) -> bool:
    """Do the work for all items, and return when it is done or its time is over.

    What was not begun by then never is. What is under way goes on in its thread, and may end well,
    or be frozen with the function.

    Returns:
        Whether all of it was done.
    """
    try:
        for _ in pool.map(work, items, timeout=max(0.0, seconds)):
            pass
    except TimeoutError:
        return False
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return True
