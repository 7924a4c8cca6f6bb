"""The commands as people run them, from nothing to nothing left behind."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from local import paths
from local.credentials import REQUIRED as REAL
from local.running import STATE_FILE, find_running
from local.waiting import wait_for

pytestmark = pytest.mark.skipif(find_running() is not None, reason="`make local` runs here already")

START_SECONDS = 240
STOP_SECONDS = 20


@pytest.fixture(autouse=True)
def _one_at_a_time() -> Iterator[None]:
    """Keep test processes from watching each other's commands."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with (paths.CACHE / "whole-commands.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Command:
    """A command that runs, and ends with a `with` block at the latest."""

    def __init__(self, output: Path, *arguments: str) -> None:
        self._output = output
        with output.open("wb") as shown:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "local", *arguments],
                cwd=paths.ROOT,
                env={name: value for name, value in os.environ.items() if name not in REAL},
                stdout=shown,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def shown(self) -> str:
        """What it has written."""
        return self._output.read_text("utf-8")

    def await_text(self, text: str) -> None:
        """Wait until it has written a text."""
        wait_for(lambda: text in self.shown or self._process.poll() is not None, START_SECONDS)
        assert text in self.shown

    def exit_code(self) -> int:
        """Wait for its end."""
        return self._process.wait(START_SECONDS)

    def interrupt(self) -> int:
        """Do as Ctrl-C does, and wait for its end."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(STOP_SECONDS)


def _left_behind(workdir: Path) -> list[str]:
    """Unpacked functions, and processes that still work in the directory."""
    processes = [
        process.name for process in Path("/proc").glob("[0-9]*") if _works_in(process, workdir)
    ]
    return [*processes, *map(str, workdir.glob("scratch-*"))]


def _works_in(process: Path, workdir: Path) -> bool:
    try:
        return process.joinpath("cwd").readlink().is_relative_to(workdir)
    except OSError:  # ended meanwhile, or another user's
        return False


def test_the_demonstration_holds_and_leaves_nothing(tmp_path: Path) -> None:
    """`demo` exits with 0 after all its claims held, and nothing of it runs any more."""
    with Command(tmp_path / "output", "demo") as demo:
        assert 0 == demo.exit_code(), demo.shown
        assert "claims hold" in demo.shown
    assert [] == _left_behind(paths.CACHE / "demo")


def test_an_interrupted_demonstration_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of setting up ends everything, within seconds."""
    with Command(tmp_path / "output", "demo") as demo:
        demo.await_text("start the embedded AWS")
        assert 130 == demo.interrupt()
        assert "stop everything" in demo.shown
    assert [] == _left_behind(paths.CACHE / "demo")


def test_a_running_local_cloud_is_found_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    """`up` runs until Ctrl-C and exits with 0; `send` finds it meanwhile."""
    with Command(tmp_path / "up", "up") as up:
        up.await_text("here follows what happens")
        with Command(tmp_path / "send", "send", "examples/contexts/whatsapp.json") as send:
            assert 0 == send.exit_code(), send.shown
            assert "runs in another terminal" in send.shown
        up.await_text("message_sent")
        assert 0 == up.interrupt()
    assert [] == _left_behind(paths.CACHE / "up")
    assert not STATE_FILE.exists()
