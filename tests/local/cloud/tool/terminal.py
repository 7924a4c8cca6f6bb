"""Ctrl-C: in this process during an AWS request, or at a terminal of the tool's own process."""

import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import boto3
import pexpect

from local import paths

TIMEOUT_SECONDS = 60
LINES, COLUMNS = 40, 100


@contextmanager
def ctrl_c(session: boto3.Session, request: str, *, after: int = 0) -> Iterator[None]:
    """Press Ctrl-C when AWS is about to receive a request, which itself goes through.

    Args:
        session: The session whose clients are created within the `with` block.
        request: Service and operation as botocore's events name them, such as `sqs.SendMessage`.
        after: Number of such requests before it.
    """
    number = count()

    def press(**_: object) -> None:
        if next(number) == after:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    event = f"before-send.{request}"
    session.events.register(event, press)
    # A test run that was started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        session.events.unregister(event, press)
    assert next(number) > after, f"{request} was not reached"


class Terminal:
    """A running command at a terminal.

    Args:
        spawned: Its process.
    """

    def __init__(self, spawned: "pexpect.spawn[str]") -> None:
        self._spawned = spawned
        self._shown = ""

    @property
    def shown(self) -> str:
        """Everything shown so far, in one line and without colours."""
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown).split())

    def await_text(self, text: str) -> None:
        """Wait until a text is shown."""
        self._await(re.escape(text).replace(r"\ ", r"\s+"))

    def answer(self, text: str) -> None:
        """Type an answer."""
        self._spawned.sendline(text)

    def ctrl_c(self) -> int:
        """Press Ctrl-C, wait for the end, and return the exit status."""
        self._spawned.sendintr()
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
    """Run a command at a terminal; it ends with the `with` block at the latest."""
    spawned: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", "ops", *arguments],
        timeout=TIMEOUT_SECONDS,
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
    signal.signal(signal.SIGINT, signal.SIG_DFL)
