"""The log lines of the embedded AWS's functions."""

import os
import queue
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from local import paths
from local.emulator.ministack_process import log_of_invocation, read_log


@pytest.fixture
def worker() -> SimpleNamespace:
    """Return a function's process that has logged two lines and the beginning of a third."""
    read_end, write_end = os.pipe()
    lines: queue.Queue[str] = queue.Queue()
    worker = SimpleNamespace(
        _proc=SimpleNamespace(stderr=os.fdopen(read_end, "rb")),
        _stderr_queue=lines,
        _drain_stderr=lambda: "\n".join(lines.get_nowait() for _ in range(lines.qsize())),
        write_end=os.fdopen(write_end, "wb", buffering=0),
    )
    worker._stderr_thread = threading.Thread(target=read_log, args=(worker,), daemon=True)
    worker.write_end.write(b"first\nsecond\xff\nunfin")
    return worker


def test_lines_that_are_read_late_belong_to_their_invocation(worker: SimpleNamespace) -> None:
    """An invocation's log is complete, however late the thread that reads it runs."""
    with ThreadPoolExecutor() as pool:
        log = pool.submit(log_of_invocation, worker)
        with pytest.raises(TimeoutError):
            log.result(timeout=0.2)
        worker._stderr_thread.start()
        assert "first\nsecond\ufffd" == log.result()
    worker.write_end.close()
    worker._stderr_thread.join()


def test_the_log_of_an_ended_process_is_complete(worker: SimpleNamespace) -> None:
    """The last line of a process that was killed is kept, even if it is unfinished."""
    worker._stderr_thread.start()
    assert "first" == worker._stderr_queue.get()
    worker.write_end.close()
    worker._proc = None
    assert "second\ufffd\nunfin" == log_of_invocation(worker)


def test_ministack_has_what_is_replaced() -> None:
    """The installed MiniStack still has the methods that the project replaces."""
    check = "from ministack.core.lambda_runtime import Worker as w; w._read_stderr; w._drain_stderr"
    code = f"{check}; w._drain_stderr_bounded"
    subprocess.run([paths.CLOUD_PYTHON, "-c", code], check=True)  # noqa: S603 - our own code
