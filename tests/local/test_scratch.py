"""Scratch directories: gone after use, also those of processes that were killed."""

import os
import subprocess
import sys
from pathlib import Path

from local.scratch import scratch_directory


def test_a_directory_is_gone_after_its_block(tmp_path: Path) -> None:
    """A scratch directory is there within its block, and only there."""
    with scratch_directory(tmp_path / "parent") as scratch:
        (scratch / "file").write_text("text")
    assert [] == list((tmp_path / "parent").iterdir())


def test_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    """A directory of a process that is gone is removed, one of a living process stays."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"scratch-{ended.pid}-x").mkdir()
    (tmp_path / f"scratch-{os.getppid()}-x").mkdir()
    (tmp_path / "scratch-odd").mkdir()
    (tmp_path / "other").mkdir()
    with scratch_directory(tmp_path) as scratch:
        expected = {"other", f"scratch-{os.getppid()}-x", scratch.name}
        assert expected == {path.name for path in tmp_path.iterdir()}
