"""The app that the local cloud deploys: this repository's own, or another one's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import paths
from stacks.channels import CHANNELS

LEFT_OUT = frozenset({"__pycache__", "node_modules", "cdk.out", "dist"})
"""Directories below an app's sources that nothing is synthesized from; hidden ones neither."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """An app, and the names of its stacks in the environment `dev`.

    Attributes:
        root: Holds its `cdk.json`.
        sources: Files and directories below, of which its templates and its functions are made.
        shared_stack: The stack of what its channels share.
        channel_stacks: The stacks of its channels by the channels' names, the chief one first.
    """

    root: Path
    sources: tuple[str, ...]
    shared_stack: str
    channel_stacks: Mapping[str, str]

    def source_files(self) -> Iterator[Path]:
        """Every file that a synthesis reads."""
        for source in self.sources:
            path = self.root / source
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and not any(map(_left_out, file.relative_to(path).parts)):
                    yield file


def _left_out(name: str) -> bool:
    return name in LEFT_OUT or name.startswith(".")


def own_project() -> Project:
    """This repository's app."""
    return Project(
        root=paths.ROOT,
        sources=(
            "app.py",
            "cdk.json",
            "constraints.txt",
            "requirements.txt",
            "package-lock.json",
            "stacks",
            "lambda_src",
            "local/metric_math.py",
        ),
        shared_stack="ai-multi-comms-shared-dev",
        channel_stacks={each.name: f"ai-multi-comms-{each.name}-dev" for each in CHANNELS},
    )
