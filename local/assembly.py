"""The synthesized infrastructure, kept for as long as nothing that it is made of changes."""

import hashlib
import platform
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_src.core.contract import RELEASE
from local.aws import environment_without_aws
from local.cdk import start_cdk
from local.composite import Composite
from local.errors import LocalCloudError
from local.metric_math import set_aside
from local.project import Project, own_project
from local.scratch import scratch_directory

if TYPE_CHECKING:
    from local.processes import Leashed

ENVIRONMENT = "dev"
CONTEXT = ("-c", f"env={ENVIRONMENT}", "-c", "package_for=host")

KEPT = 3


class Assembly(Composite):
    """A cloud assembly of the development environment, for functions that run on this machine.

    Entering the `with` block starts the synthesis when there is none yet; `directory` waits for it,
    so that other things can be set up meanwhile.

    Args:
        cache: directory that keeps assemblies between runs.
        project: the app; this repository's own, unless another is named.
    """

    def __init__(self, cache: Path, project: Project | None = None) -> None:
        super().__init__()
        self._project = project or own_project()
        self._kept = cache / _fingerprint(self._project)
        self._synthesis: Leashed | None = None
        self._made = self._kept

    def _start_parts(self, starting: ExitStack) -> None:
        if not self.ready:
            self._start(starting)

    @property
    def ready(self) -> bool:
        """Whether no synthesis is needed."""
        return self._kept.exists()

    def directory(self) -> Path:
        """Wait for the synthesis, if there is one.

        Returns:
            The assembly, for `cdk deploy --app`; it may be gone after the `with` block.

        Raises:
            LocalCloudError: the synthesis failed; the text holds the end of what it wrote.
        """
        if self._synthesis and self._synthesis.wait() != 0:
            raise LocalCloudError(f"`cdk synth` failed:\n{self._synthesis.last_lines()}")
        if self._made.exists():
            set_aside(self._made)
            self._keep_unless_outdated()
        return self._kept if self.ready else self._made

    def _start(self, starting: ExitStack) -> None:
        scratch = starting.enter_context(scratch_directory(self._kept.parent))
        self._made = scratch / "assembly"
        synthesis = start_cdk(
            *("synth", *CONTEXT, "--quiet", "--output", str(self._made)),
            env=environment_without_aws(),
            cwd=self._project.root,
            log=scratch / "synth.log",
        )
        self._synthesis = starting.enter_context(synthesis)

    def _keep_unless_outdated(self) -> None:
        if _fingerprint(self._project) != self._kept.name:
            return
        if not self.ready:
            self._made.rename(self._kept)
        assemblies = self._kept.parent.glob("assembly-*")
        for old in sorted(assemblies, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)


def _fingerprint(project: Project) -> str:
    """A name that changes with anything the assembly is made of."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()} {RELEASE}".encode())
    for path in project.source_files():
        digest.update(str(path.relative_to(project.root)).encode())
        digest.update(path.read_bytes())
    return f"assembly-{digest.hexdigest()[:16]}"
