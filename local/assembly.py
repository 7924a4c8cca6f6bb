"""The synthesized infrastructure, kept for as long as nothing that it is made of changes."""

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from local import paths
from local.aws import environment_without_aws
from local.cdk import start_cdk
from local.errors import LocalCloudError
from local.processes import Leashed

ENVIRONMENT = "dev"
CONTEXT = ("-c", f"env={ENVIRONMENT}", "-c", "package_for=host")

SOURCES = (
    "app.py",
    "cdk.json",
    "constraints.txt",
    "requirements.txt",
    "package-lock.json",
    "stacks",
    "lambda_src",
)
KEPT = 3


class Assembly:
    """A cloud assembly of the development environment, for functions that run on this machine.

    Entering the `with` block starts the synthesis when there is none yet; `directory` waits for it,
    so that other things can be set up meanwhile.

    Args:
        cache: directory that keeps assemblies between runs.
    """

    def __init__(self, cache: Path) -> None:
        self._home = cache / _fingerprint()
        self._synthesis: Leashed | None = None
        self._unfinished: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        if not self.ready:
            self._home.parent.mkdir(parents=True, exist_ok=True)
            self._unfinished = tempfile.TemporaryDirectory(
                dir=self._home.parent, prefix="unfinished-", ignore_cleanup_errors=True
            )
            self._synthesis = self._start(Path(self._unfinished.name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._synthesis and self._unfinished:
            self._synthesis.stop()
            self._unfinished.cleanup()

    @property
    def ready(self) -> bool:
        """Whether no synthesis is needed."""
        return self._home.exists()

    def directory(self) -> Path:
        """Wait for the synthesis, if there is one.

        Returns:
            The assembly, for `cdk deploy --app`.

        Raises:
            LocalCloudError: the synthesis failed; the text holds the end of what it wrote.
        """
        if self._synthesis and self._unfinished and not self.ready:
            if self._synthesis.wait() != 0:
                raise LocalCloudError(f"`cdk synth` failed:\n{self._synthesis.last_lines()}")
            self._keep(Path(self._unfinished.name))
        return self._home

    def _start(self, unfinished: Path) -> Leashed:
        output = ("--quiet", "--output", str(unfinished / "assembly"))
        log = self._home.parent / "synth.log"
        environment = environment_without_aws()
        return start_cdk("synth", *CONTEXT, *output, env=environment, cwd=paths.ROOT, log=log)

    def _keep(self, unfinished: Path) -> None:
        if _fingerprint() != self._home.name:
            raise LocalCloudError("the sources changed while they were synthesized: try again")
        try:
            (unfinished / "assembly").rename(self._home)
        except OSError:
            if not self.ready:  # else another process was quicker
                raise
        older = sorted(self._home.parent.glob("assembly-*"), key=lambda path: path.stat().st_mtime)
        for path in older[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)


def _fingerprint() -> str:
    """A name that changes with anything the assembly is made of."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()}".encode())
    for path in _source_files():
        digest.update(str(path.relative_to(paths.ROOT)).encode())
        digest.update(path.read_bytes())
    return f"assembly-{digest.hexdigest()[:16]}"


def _source_files() -> Iterator[Path]:
    for source in SOURCES:
        path = paths.ROOT / source
        files = path.rglob("*") if path.is_dir() else [path]
        yield from sorted(f for f in files if f.is_file() and "__pycache__" not in f.parts)
