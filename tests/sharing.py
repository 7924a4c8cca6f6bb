"""What test processes share: a directory's tests may use one expensive fixture, whatever file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

SHARING = ("tests/local/world/",)
"""Directories of which all tests go to one process, since they share what it has started."""


class DirectoryScheduling(LoadFileScheduling):
    """As `--dist loadfile` does it, but the directories of `SHARING` count as one file each."""

    def _split_scope(self, nodeid: str) -> str:
        shared = [directory for directory in SHARING if nodeid.startswith(directory)]
        return shared[0] if shared else super()._split_scope(nodeid)


def scheduling(config: pytest.Config, log: Producer) -> DirectoryScheduling | None:
    """The scheduling of `--dist loadfile`; None leaves any other to its own."""
    by_file = config.getoption("dist") == "loadfile"
    return DirectoryScheduling(config, log) if by_file else None
