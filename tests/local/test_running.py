"""How a running local cloud is found, and a dead one is not."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.ministack import HOST, free_port
from local.running import Running, announced, find_running


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Listen somewhere."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"http://{HOST}:{listener.getsockname()[1]}"


def _running(endpoint: str, pid: int | None = None) -> Running:
    return Running(pid or os.getpid(), endpoint, "0" * 12, "us-east-1", None)


def test_an_announced_one_is_found(tmp_path: Path, endpoint: str) -> None:
    """What runs is found as long as it is announced, and not after."""
    state_file = tmp_path / "state" / "running.json"
    running = _running(endpoint)
    with announced(running, state_file):
        assert running == find_running(state_file)
    assert find_running(state_file) is None
    assert not state_file.exists()


def test_a_dead_process_is_not_found(tmp_path: Path, endpoint: str) -> None:
    """What a process left behind that is gone is ignored."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with announced(_running(endpoint, ended.pid), tmp_path / "running.json"):
        assert find_running(tmp_path / "running.json") is None


def test_a_silent_endpoint_is_not_found(tmp_path: Path) -> None:
    """A process id taken over by another process does not count as a running local cloud."""
    silent = f"http://{HOST}:{free_port()}"
    with announced(_running(silent), tmp_path / "running.json"):
        assert find_running(tmp_path / "running.json") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"other": 1}'])
def test_a_broken_file_is_ignored(tmp_path: Path, content: str) -> None:
    """A state file that does not say what it should is as good as none."""
    (tmp_path / "running.json").write_text(content)
    assert find_running(tmp_path / "running.json") is None
