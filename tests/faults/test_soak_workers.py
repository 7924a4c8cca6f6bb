"""Blows fall on the function's processes that are at work, and on no other."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from local.waiting import wait_for
from tests.faults.soak.plan import Blow
from tests.faults.soak.workers import PROGRAM, Workers

PATIENCE_SECONDS = 60
WAITS = "import sys\nsys.stdin.read()\n"
CONNECTS = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Listen, as the server does that every working process is connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def workers(tmp_path: Path, server: socket.socket) -> Iterator[Workers]:
    """Run two processes at work for a function, one that only starts, and an innocent one."""
    port = server.getsockname()[1]
    programs = {
        tmp_path / "one" / PROGRAM: CONNECTS,
        tmp_path / "two" / PROGRAM: CONNECTS,
        tmp_path / "starting" / PROGRAM: WAITS,
        tmp_path / "innocent.py": CONNECTS,
    }
    with ExitStack() as running:
        for program, text in programs.items():
            running.enter_context(_running(program, text, port))
        for _ in range(3):
            running.enter_context(server.accept()[0])
        workers = Workers(os.getpid(), port)
        wait_for(lambda: len(workers.at_work()) == 2, PATIENCE_SECONDS)
        yield workers


@contextmanager
def _running(program: Path, text: str, port: int) -> Iterator[None]:
    program.parent.mkdir(exist_ok=True)
    program.write_text(text)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(program), str(port)], stdin=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def _is_stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


def test_a_kill_ends_one_process_at_work(workers: Workers) -> None:
    """A kill ends the process that was picked, and the others go on."""
    first, second = workers.at_work()
    assert second == workers.strike(Blow.KILL, 0.99)
    with contextlib.suppress(psutil.NoSuchProcess):
        second.wait(PATIENCE_SECONDS)
    assert [first] == workers.at_work()
    assert {Blow.KILL: 1} == workers.blows


def test_a_frozen_process_goes_on_when_it_is_thawed(workers: Workers) -> None:
    """A frozen process stands still, is not struck again, and goes on in time."""
    frozen = workers.strike(Blow.FREEZE, 0)
    assert frozen
    assert wait_for(lambda: _is_stopped(frozen), PATIENCE_SECONDS)
    assert frozen not in workers.at_work()
    workers.thaw(frozen_for=PATIENCE_SECONDS)
    assert _is_stopped(frozen)
    workers.thaw()
    assert wait_for(lambda: not _is_stopped(frozen), PATIENCE_SECONDS)
    assert frozen in workers.at_work()


def test_where_nobody_works_nobody_is_struck(workers: Workers) -> None:
    """Without a process at work a blow falls on nobody and is not counted."""
    for _ in range(2):
        workers.strike(Blow.FREEZE, 0)
    assert workers.strike(Blow.KILL, 0) is None
    assert {Blow.FREEZE: 2} == workers.blows
    workers.thaw()
