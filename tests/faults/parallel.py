"""Processes that work in parallel, and end with the process that started them."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread


@contextmanager
def process_pool(processes: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of spawned processes (one per core by default), which may start others."""
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def end_with_parent() -> None:
    """End this process and its children as soon as its parent has ended."""
    Thread(target=_watch, name="parent-watch", daemon=True).start()


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles an interrupt
    end_with_parent()


def _watch() -> None:
    if parent := parent_process():
        parent.join()
        for child in active_children():
            child.kill()  # it may be suspended, and then does not end by itself
        os._exit(1)
