"""The commands as separate processes, which leave nothing running."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import paths
from local.emulator.ministack import MEMORY_DIRECTORY
from local.lifecycle import SCRATCH_PREFIX, wait_for
from local.up import STATE_FILE
from local.vendors import REQUIRED
from ops.endpoints import LocalCloudState

START_SECONDS = 240
STOP_SECONDS = 20


@pytest.fixture(autouse=True)
def _one_at_a_time() -> Iterator[None]:
    """Prevent test processes from finding each other's commands."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with (paths.CACHE / "whole-commands.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _command(name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and terminate it at the latest at the end of the `with` block."""
    with log.open("wb") as output:
        command = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "local", name],
            cwd=paths.ROOT,
            env={name: value for name, value in os.environ.items() if name not in REQUIRED},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield command
    finally:
        command.terminate()
        command.wait()


def _remains(pid: int) -> list[str]:
    """Return scratch directories of a command, and processes that work in them."""
    name = f"{SCRATCH_PREFIX}{pid}-"
    processes = [each.name for each in Path("/proc").glob("[0-9]*") if name in _directory(each)]
    directories = [*paths.CACHE.glob(f"*/{name}*"), *MEMORY_DIRECTORY.glob(f"{name}*")]
    return [*processes, *map(str, directories)]


def _directory(process: Path) -> str:
    try:
        return str(process.joinpath("cwd").readlink())
    except OSError:  # ended meanwhile, or another user's
        return ""


def test_the_demo_succeeds_and_leaves_nothing(tmp_path: Path) -> None:
    """`demo` exits with 0 after all its claims hold, and none of its processes is left."""
    log = tmp_path / "output"
    with _command("demo", log) as demo:
        assert 0 == demo.wait(START_SECONDS), log.read_text("utf-8")
    assert "all 29 claims hold" in log.read_text("utf-8")
    assert [] == _remains(demo.pid)


@pytest.mark.skipif(LocalCloudState.find(STATE_FILE) is not None, reason="`make local` is running")
def test_an_interrupted_start_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while `up` is starting stops everything within seconds, with exit code 0."""
    log = tmp_path / "output"
    with _command("up", log) as up:
        started = "start the embedded AWS"
        wait_for(lambda: started in log.read_text("utf-8") or up.poll() is not None, START_SECONDS)
        assert _remains(up.pid), log.read_text("utf-8")
        up.send_signal(signal.SIGINT)
        assert 0 == up.wait(STOP_SECONDS)
    assert "stop everything" in log.read_text("utf-8")
    assert [] == _remains(up.pid)
    assert not STATE_FILE.exists()
