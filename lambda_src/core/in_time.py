"""Work that is given up when its time is over, whatever keeps it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

MOST_CALLS = 256
"""At once: more than can be under way, since a call that was given up goes on in its thread."""

_threads = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="in-time")
# Kept from call to call: a new thread for each took a fifth more of a message's processor time.


def within(seconds: float, call: Callable[[], T]) -> T:
    """Call, and wait for the result no longer than that.

    Timeouts of sockets leave gaps: the lookup of a name, several addresses of a host, an answer
    that trickles in. Here nothing does. A call that is given up goes on in its own thread, and what
    comes of it is dropped: for calls that do no harm when they end late.

    Raises:
        TimeoutError: The time is over.
    """
    future = _threads.submit(copy_context().run, call)
    try:
        return future.result(max(0.0, seconds))
    finally:
        future.cancel()  # what has not begun by now never does


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
