"""Processes on a leash: they end with the block, and with the process that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import Leashed
from local.waiting import wait_for

SLEEPER = [sys.executable, "-c", "import time; print('asleep', flush=True); time.sleep(60)"]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""
STARTER = f"""
import os, signal, sys
from pathlib import Path
from local.processes import Leashed
command = [sys.executable, "-c", {PARENT!r}]
Leashed(command, env=dict(os.environ), cwd=Path.cwd(), log=Path(sys.argv[1]))
signal.pause()
"""


def _leashed(command: list[str], tmp_path: Path) -> Leashed:
    return Leashed(command, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _first_line(log: Path) -> str:
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"), 10)
    return log.read_text().splitlines()[0]


def test_the_exit_code_and_the_output_are_handed_on(tmp_path: Path) -> None:
    """A command's exit code is returned, and the end of what it wrote can be shown."""
    command = [sys.executable, "-c", "print('one'); print('two'); raise SystemExit(3)"]
    with _leashed(command, tmp_path) as process:
        assert 3 == process.wait()
        assert "one\ntwo" == process.last_lines()
        assert not process.running()


def test_a_command_ends_with_its_block(tmp_path: Path) -> None:
    """A command still running at the end of the block is stopped."""
    with _leashed(SLEEPER, tmp_path) as process:
        assert "asleep" == _first_line(tmp_path / "log")
        assert process.running()
    assert not process.running()


def test_children_end_too(tmp_path: Path) -> None:
    """What a command started ends with it."""
    with _leashed([sys.executable, "-c", PARENT], tmp_path):
        child = int(_first_line(tmp_path / "log"))
        assert _alive(child)
    assert wait_for(lambda: not _alive(child), 5)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_starter_that_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    """When the starter is killed outright, the command and its children end by themselves."""
    log = tmp_path / "log"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(log)])  # noqa: S603 - our code
    child = int(_first_line(log))
    assert _alive(child)
    starter.send_signal(end)
    starter.wait()
    assert wait_for(lambda: not _alive(child), 10)
