"""Processes and scratch directories, which are gone at the end whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import paths
from local.lifecycle import GuardedProcess, scratch_directory, wait_for
from local.up import STATE_FILE
from local.vendors import REQUIRED
from ops.endpoints import LocalCloudState
from tests.local.remains import remains

START_SECONDS, STOP_SECONDS = 400, 60

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
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
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _first_line(log: Path) -> str:
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"), STOP_SECONDS)
    return log.read_text().splitlines()[0]


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    """A command that is still running at the end of the block is stopped with its children."""
    with _guarded(PARENT, tmp_path) as process:
        child = int(_first_line(tmp_path / "log"))
        assert process.running()
        assert _is_alive(child)
    assert not process.running()
    assert wait_for(lambda: not _is_alive(child), STOP_SECONDS)


def test_a_process_ends_with_its_starter(tmp_path: Path) -> None:
    """If the starter is killed, the command and its children end by themselves."""
    log = tmp_path / "log"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(log)])  # noqa: S603 - our code
    child = int(_first_line(log))
    assert _is_alive(child)
    starter.kill()
    starter.wait()
    assert wait_for(lambda: not _is_alive(child), STOP_SECONDS)


def test_scratch_directories_are_removed(tmp_path: Path) -> None:
    """At the end of its block, or by the next one if its process has ended."""
    with scratch_directory(tmp_path / "parent") as scratch:
        (scratch / "file").write_text("text")
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    remaining = {"parent", f"local-cloud-{os.getppid()}-x"}
    for name in (*remaining, f"local-cloud-{ended.pid}-x", "local-cloud-odd"):
        (tmp_path / name).mkdir(exist_ok=True)
    with scratch_directory(tmp_path) as scratch:
        assert {*remaining, scratch.name} == {path.name for path in tmp_path.iterdir()}
    assert [] == list((tmp_path / "parent").iterdir())


@pytest.mark.timeout(600)
@pytest.mark.skipif(LocalCloudState.find(STATE_FILE) is not None, reason="`make local` is running")
def test_an_interrupted_start_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while `up` is starting stops everything within a minute, with exit code 0."""
    log = tmp_path / "output"
    with log.open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "local", "up"],
            cwd=paths.ROOT,
            env={name: value for name, value in os.environ.items() if name not in REQUIRED},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        started = "start the embedded AWS"
        wait_for(lambda: started in log.read_text("utf-8") or up.poll() is not None, START_SECONDS)
        assert remains(up.pid), log.read_text("utf-8")
        up.send_signal(signal.SIGINT)
        assert 0 == up.wait(STOP_SECONDS)
    finally:
        up.kill()
        up.wait()
    assert not STATE_FILE.exists()
    assert "stop everything" in log.read_text("utf-8")
    assert [] == remains(up.pid)
