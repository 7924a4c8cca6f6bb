"""Distribution of test files to processes: some directories share one expensive fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

SHARING = ("tests/local/cloud/", "tests/local/emulator/", "tests/conformance/")
"""Directories whose tests all run in one process, since they share what it has started."""


class DirectoryScheduling(LoadFileScheduling):
    """Distributes by file like `--dist loadfile`, but each directory of `SHARING` counts as one."""

    def _split_scope(self, nodeid: str) -> str:
        shared = [directory for directory in SHARING if nodeid.startswith(directory)]
        return shared[0] if shared else super()._split_scope(nodeid)


def scheduling(config: pytest.Config, log: Producer) -> DirectoryScheduling | None:
    """Return the scheduling for `--dist loadfile`, else None for the default."""
    by_file = config.getoption("dist") == "loadfile"
    return DirectoryScheduling(config, log) if by_file else None
