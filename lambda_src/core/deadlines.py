"""Calls that end at their deadline: abandoned, whatever they wait for, or no longer repeated."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from lambda_src.core import time_budget
from lambda_src.core.errors import LedgerUnavailable

T = TypeVar("T")

MAX_CALLS = 256
"""Concurrent calls: more than a batch needs, since an abandoned call keeps its thread."""

# Reused between calls: a new thread for each call cost a fifth of a message's processor time.
_threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="deadline")


def call_with_deadline(seconds: float, call: Callable[[], T]) -> T:
    """Call a function and wait at most that long for its result.

    Socket timeouts do not bound a whole call: name resolution, several addresses of a host and an
    answer that arrives byte by byte each extend it. An abandoned call continues in its thread and
    its result is discarded, so use this only for calls that are harmless when they end late, and
    for sends whose outcome then counts as unknown.

    Raises:
        TimeoutError: The time is over.
    """
    future = _threads.submit(copy_context().run, call)
    try:
        return future.result(max(0.0, seconds))
    finally:
        future.cancel()  # prevents a call that has not started yet


def call_aws(call: Callable[[], T]) -> T:
    """Call AWS, for at most the time that all attempts of its client may take.

    Raises:
        TimeoutError: The time is over.
    """
    return call_with_deadline(time_budget.AWS_CALL_SECONDS, call)


def call_ai(timeout: float, call: Callable[[], T]) -> T:
    """Call OpenAI, for its request's timeout and the time that its client may exceed it by.

    Raises:
        TimeoutError: The time is over.
    """
    return call_with_deadline(timeout + time_budget.AI_GRACE_SECONDS, call)


class _ReusablePool(ThreadPoolExecutor):
    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="message")
        self.workers = workers


# New threads for each batch cost a fortieth of a message's processor time.
_idle: defaultdict[int, list[_ReusablePool]] = defaultdict(list)


def thread_pool(workers: int) -> Executor:
    """Return a pool with this many threads: an idle one, or else a new one.

    Its work should consist of waiting. `map_with_deadline` makes the pool idle again.
    """
    try:
        return _idle[workers].pop()
    except IndexError:
        return _ReusablePool(workers)


def map_with_deadline(
    seconds: float, work: Callable[[T], object], items: Sequence[T], pool: Executor
) -> bool:
    """Do the work for all items in a pool, and return when all are done or the time is over.

    Items that have not started by then never do. Started ones continue in their threads, and may
    finish or be frozen with the function. A pool without such work is used again.

    Returns:
        Whether all of it was done.
    """
    if seconds <= 0 and isinstance(pool, _ReusablePool):
        # Without time to wait, only a new thread is certain to take up its work.
        _idle[pool.workers].append(pool)
        pool = ThreadPoolExecutor(pool.workers)
    is_done = False
    try:
        for _ in pool.map(work, items, timeout=max(0.0, seconds)):
            pass
        is_done = True
    except TimeoutError:
        pass
    finally:
        if is_done and isinstance(pool, _ReusablePool):
            _idle[pool.workers].append(pool)
        else:
            pool.shutdown(wait=False, cancel_futures=True)
    return is_done


def retry_until_deadline(
    write: Callable[[], None],
    *,
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    max_seconds: float = float("inf"),
) -> None:
    """Write, and repeat it while the table is unavailable and the function has time.

    Args:
        write: A conditional write of the ledger.
        deadline: When Lambda ends the function, in epoch seconds; a whole attempt must fit before.
        clock: Returns the time in epoch seconds.
        sleep: Waits between two attempts.
        max_seconds: No attempt begins later than that, however much time is left.

    Raises:
        LedgerUnavailable: The table stayed unavailable.
    """
    stop_after_max = stop_after_delay(max_seconds)

    def stop(state: RetryCallState) -> bool:
        remaining = deadline - clock() - state.upcoming_sleep
        reserve = time_budget.AWS_CALL_SECONDS + time_budget.SHUTDOWN_RESERVE_SECONDS
        return remaining < reserve or stop_after_max(state)

    retrying = Retrying(
        sleep=sleep,
        retry=retry_if_exception_type(LedgerUnavailable),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop,
        reraise=True,
    )
    retrying(write)
