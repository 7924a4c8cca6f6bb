"""Processes that the local cloud starts and always stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local import leash

STOP_SECONDS = leash.GRACE_SECONDS + 2
DIAGNOSTIC_LINES = 15


class Leashed:
    """A command in a process group of its own, stopped with all its children at the end.

    It also ends by itself when this process ends without saying so (see `local.leash`). Its
    output goes to a file.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, leash.__file__, *command],
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
        """Whether the command has not ended."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for the command's end and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End the whole process group; nothing happens when it has ended."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self) -> str:
        """The end of what the command wrote, for an error message."""
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(line for line in lines[-DIAGNOSTIC_LINES:])
