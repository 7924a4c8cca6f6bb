"""The tool in a process of its own, at a terminal, as the person on duty has it before them."""

import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pexpect

from local import paths

PATIENCE_SECONDS = 60
LINES, COLUMNS = 40, 100


class Terminal:
    """A call of the tool that runs.

    Args:
        spawned: Its process, at the other end of the terminal.
    """

    def __init__(self, spawned: "pexpect.spawn[str]") -> None:
        self._spawned = spawned
        self._shown = ""

    @property
    def shown(self) -> str:
        """All that was shown until now, in one line and without colours."""
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown).split())

    def await_text(self, text: str) -> None:
        """Wait until it shows a text."""
        self._await(re.escape(text).replace(r"\ ", r"\s+"))

    def answer(self, text: str) -> None:
        """Type an answer."""
        self._spawned.sendline(text)

    def ctrl_c(self) -> int:
        """Press Ctrl-C, wait for the end, and return the exit status."""
        self._spawned.sendintr()
        return self.exit_status()

    def exit_status(self) -> int:
        """Wait for the end, and return the exit status."""
        self._await(pexpect.EOF)
        self._spawned.close()
        assert self._spawned.exitstatus is not None, self.shown
        return int(self._spawned.exitstatus)

    def _await(self, pattern: "str | type[pexpect.EOF]") -> None:
        try:
            self._spawned.expect(pattern)
        finally:
            self._shown += self._spawned.before if isinstance(self._spawned.before, str) else ""
            self._shown += self._spawned.after if isinstance(self._spawned.after, str) else ""


@contextmanager
def terminal(environment: Mapping[str, str], *arguments: str) -> Iterator[Terminal]:
    """Call the tool at a terminal; it is ended with the `with` block at the latest."""
    spawned: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", "ops", *arguments],
        timeout=PATIENCE_SECONDS,
        cwd=str(paths.ROOT),
        env={**environment, "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(LINES, COLUMNS),
        preexec_fn=_heed_ctrl_c,
    )
    try:
        yield Terminal(spawned)
    finally:
        spawned.close(force=True)


def _heed_ctrl_c() -> None:
    """Whoever started the tests in the background has them ignore the signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
