"""Ctrl-C at a real terminal: the process ends and says what was done."""

import io
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect

from local import paths
from local.fakes import Fault, Match
from local.lifecycle import wait_for
from ops.command import INTERRUPTED
from tests.local.cloud.messages import TIMEOUT_SECONDS, several_waits
from tests.local.cloud.ops.local_operator import LocalOperator
from tests.local.cloud.ops.ways import exercises
from tests.support.channel import PREFIXES

pytestmark = several_waits
RESUMABLE = "interrupted: completed work is kept: run the same command again to continue"
LINES, COLUMNS = 40, 100
PROGRAM = "from ops import queues; queues.POLL_SECONDS = 0; import ops.__main__"
"""`python -m ops` without long polls: one process of the local cloud holds the whole queue."""


class Terminal:
    """A running command at a terminal."""

    def __init__(self, spawned: "pexpect.spawn[str]") -> None:
        self._spawned = spawned
        self._spawned.logfile_read = self._output = io.StringIO()

    @property
    def shown(self) -> str:
        """Everything shown so far, in one line and without colours."""
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._output.getvalue()).split())

    def await_text(self, text: str) -> None:
        """Wait until a text is shown."""
        self._spawned.expect(re.escape(text).replace(r"\ ", r"\s+"))

    def answer(self, text: str) -> None:
        """Type an answer."""
        self._spawned.sendline(text)

    def ctrl_c(self) -> int:
        """Press Ctrl-C, wait for the end, and return the exit status."""
        self._spawned.sendintr()
        self._spawned.expect(pexpect.EOF)
        self._spawned.close()
        assert self._spawned.exitstatus is not None, self.shown
        return int(self._spawned.exitstatus)


@contextmanager
def terminal(operator: LocalOperator, *arguments: str) -> Iterator[Terminal]:
    """Run a command at a terminal; it ends with the `with` block at the latest."""
    spawned: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, *arguments],
        timeout=TIMEOUT_SECONDS,
        cwd=str(paths.ROOT),
        env={**operator.environment(), "TERM": "xterm"},
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


@exercises("interrupted", "watch")
def test_a_watch_ends(operator: LocalOperator) -> None:
    """It ends immediately and without a traceback."""
    with terminal(operator, "watch", "--every", "600") as watch:
        watch.await_text("alarms:")
        watch.await_text("next steps")
        assert INTERRUPTED == watch.ctrl_c()
        assert watch.shown.endswith("interrupted: nothing was changed")


@exercises("interrupted", "dlq redrive")
def test_a_redrive_is_interrupted_and_continues(operator: LocalOperator) -> None:
    """Of six messages some are redriven; the rest stays, and follows with the next run."""
    conversations = operator.dead(*["waiting"] * 6)
    call = ("dlq", "redrive", "--company", operator.company)
    with terminal(operator, *call, "--rate", "1") as redrive:
        redrive.await_text("Continue with 6 messages? [y/N]:")
        redrive.answer("y")
        assert wait_for(lambda: len(operator.dead_letters()) < 6, TIMEOUT_SECONDS)
        assert INTERRUPTED == redrive.ctrl_c()
        assert "done messages decision" in redrive.shown
        assert redrive.shown.endswith(RESUMABLE)
    left = len(operator.dead_letters())
    assert 0 < left < len(conversations)
    assert 0 == operator.dead_letters_in_flight()

    assert left == operator.succeed(*call, "--yes")["acted"]
    operator.await_sent(*conversations)


@exercises("interrupted", "secrets set")
def test_ctrl_c_at_a_prompt_is_an_interruption(operator: LocalOperator) -> None:
    """It is not an answer, and nothing was changed."""
    name = f"{PREFIXES[1]}{operator.company}"
    with terminal(operator, "secrets", "set", name) as prompt:
        prompt.await_text("twilio_account_sid:")
        prompt.answer(operator.fakes.credentials.twilio_account_sid)
        prompt.await_text("twilio_api_key_sid")
        assert INTERRUPTED == prompt.ctrl_c()
        assert prompt.shown.endswith("interrupted: nothing was changed")


@exercises("interrupted", "send")
def test_a_message_on_the_queue_is_sent_although_following_is_interrupted(
    operator: LocalOperator, tmp_path: Path
) -> None:
    """The terminal says how to see its progress."""
    conversation = operator.conversation()
    operator.fakes.openai.fail_next(Fault.slow(4), match=Match(contains=conversation.id))
    file = tmp_path / "context.json"
    file.write_text(conversation.body)
    with terminal(operator, "send", str(file), "--yes", "--follow") as send:
        send.await_text("on the queue: message")
        assert INTERRUPTED == send.ctrl_c()
        assert f"conversation show '{conversation.id}'" in send.shown
    operator.await_sent(conversation)
