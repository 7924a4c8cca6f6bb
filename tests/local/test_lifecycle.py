"""Processes and scratch directories, which are gone at the end whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.lifecycle import GuardedProcess, scratch_directory, wait_for

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""
STARTER = f"""
import os, signal, sys
from pathlib import Path
from local.lifecycle import GuardedProcess
command = [sys.executable, "-S", "-c", {PARENT!r}]
GuardedProcess(command, env=dict(os.environ), cwd=Path.cwd(), log=Path(sys.argv[1]))
signal.pause()
"""


def _guarded(code: str, tmp_path: Path) -> GuardedProcess:
    command = [sys.executable, "-S", "-c", code]
    return GuardedProcess(command, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _first_line(log: Path) -> str:
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"), 10)
    return log.read_text().splitlines()[0]


def test_exit_code_and_output_are_returned(tmp_path: Path) -> None:
    """The command's exit code and the end of its output are available."""
    code = "print('one'); print('two'); raise SystemExit(3)"
    with _guarded(code, tmp_path) as process:
        assert 3 == process.wait()
        assert "one\ntwo" == process.last_lines()
        assert not process.running()


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    """A command that is still running at the end of the block is stopped with its children."""
    with _guarded(PARENT, tmp_path) as process:
        child = int(_first_line(tmp_path / "log"))
        assert process.running()
        assert _is_alive(child)
    assert not process.running()
    assert wait_for(lambda: not _is_alive(child), 5)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_its_starter(tmp_path: Path, end: signal.Signals) -> None:
    """If the starter is killed, the command and its children end by themselves."""
    log = tmp_path / "log"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(log)])  # noqa: S603 - our code
    child = int(_first_line(log))
    assert _is_alive(child)
    starter.send_signal(end)
    starter.wait()
    assert wait_for(lambda: not _is_alive(child), 10)


def test_a_scratch_directory_is_removed(tmp_path: Path) -> None:
    """A scratch directory exists only within its block."""
    with scratch_directory(tmp_path / "parent") as scratch:
        (scratch / "file").write_text("text")
    assert [] == list((tmp_path / "parent").iterdir())


def test_abandoned_scratch_directories_are_removed(tmp_path: Path) -> None:
    """The directory of a process that has ended is removed, that of a running process is not."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    (tmp_path / f"local-cloud-{ended.pid}-x").mkdir()
    (tmp_path / f"local-cloud-{os.getppid()}-x").mkdir()
    (tmp_path / "local-cloud-odd").mkdir()
    (tmp_path / "other").mkdir()
    with scratch_directory(tmp_path) as scratch:
        expected = {"other", f"local-cloud-{os.getppid()}-x", scratch.name}
        assert expected == {path.name for path in tmp_path.iterdir()}
