"""Directories for the time being."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "scratch-"


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Make a directory for the length of a `with` block.

    What processes left there that could not clean up, because they were killed, is removed.

    Args:
        parent: where to make it; made, too, if it is missing.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{PREFIX}*"):
        if not _owner_lives(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=parent, prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _owner_lives(directory: Path) -> bool:
    try:
        os.kill(int(directory.name.split("-")[1]), 0)
    except (OSError, ValueError):
        return False
    return True
