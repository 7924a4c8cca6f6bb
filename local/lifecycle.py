"""Starting, awaiting and stopping the parts of the local cloud, and their scratch directories."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from local import process_guard

SCRATCH_PREFIX = "local-cloud-"
STOP_SECONDS = process_guard.GRACE_SECONDS + 2
ERROR_LOG_LINES = 15
POLL_SECONDS = 0.1

T = TypeVar("T")


class Composite(ABC):
    """A context manager of several parts: if one cannot be started, those before it are stopped."""

    def __init__(self) -> None:
        self._running = ExitStack()

    @abstractmethod
    def _start_parts(self, starting: ExitStack) -> None:
        """Enter every part on the stack, in the order of their dependencies."""

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._start_parts(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._running.close()


class GuardedProcess:
    """A command in a process group of its own, stopped with all its children at the end.

    The group also ends if this process is killed (see `local.process_guard`). Its output goes to
    `log`.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-S", "-E", process_guard.__file__, *command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process group's id."""
        return self._process.pid

    def running(self) -> bool:
        """Return whether the command has not ended."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for the command's end and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Stop the whole process group; do nothing if it has ended."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self) -> str:
        """Return the end of the command's output, for an error message."""
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-ERROR_LOG_LINES:])


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Create a directory for the length of a `with` block.

    Directories left by processes that were killed are removed.

    Args:
        parent: created if it is missing.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{SCRATCH_PREFIX}*"):
        if not _owner_is_alive(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=parent, prefix=f"{SCRATCH_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _owner_is_alive(directory: Path) -> bool:
    try:
        os.kill(int(directory.name.removeprefix(SCRATCH_PREFIX).split("-")[0]), 0)
    except (OSError, ValueError):
        return False
    return True


def wait_for(condition: Callable[[], T | None], seconds: float) -> T | None:
    """Poll until a condition returns something true or the time is over.

    Args:
        condition: polled every `POLL_SECONDS`.
        seconds: the longest wait.

    Returns:
        The last value of the condition.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return value
