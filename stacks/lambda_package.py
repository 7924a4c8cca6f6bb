"""Builds the Lambda package without Docker, and only when something in it changed.

A finished package is a directory named after a fingerprint of all that it is made from. It is
built beside its final place and moved there in one step, so that a directory that exists is whole
and any number of processes may build at once.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from uv import find_uv_bin

from stacks import package_bytecode, package_contents, package_sources
from stacks.errors import PackageError
from stacks.package_sources import RUNTIME, Additions, Sources, read_sources
from stacks.package_target import Target

_TOOL_LINES_SHOWN = 8
_TOOL_SECONDS = 600
_KEPT_UNUSED_SECONDS = 7 * 24 * 3600

NOTHING = Additions()


@dataclass(frozen=True)
class LambdaPackage:
    """A package that is ready to be deployed.

    Attributes:
        directory: Holds what the function finds in its task root.
        fingerprint: Hexadecimal digest of everything that the package was made from.
    """

    directory: Path
    fingerprint: str

    def code(self) -> lambda_.AssetCode:
        """Return the package as a function's code; each stack needs one of its own."""
        return lambda_.Code.from_asset(
            str(self.directory),
            asset_hash=self.fingerprint,
            asset_hash_type=AssetHashType.CUSTOM,
        )


def build_package(
    target: Target,
    *,
    project: Path,
    runtime: Path = RUNTIME,
    additions: Additions = NOTHING,
) -> LambdaPackage:
    """Return the functions' package for the target, built if it is not there yet.

    Args:
        target: What it is to run on.
        project: The app's directory, whose `.build` keeps packages.
        runtime: The runtime's sources.
        additions: What the app's own processor code adds.

    It holds bytecode where a Python of the target's version can be had, and sources alone else:
    they do the same, and start several times slower.

    Raises:
        PackageError: It cannot be built; nothing is left behind.
    """
    sources, builds = read_sources(runtime, additions), project / ".build"
    package = _package(builds, sources, target, form="bytecode")
    python = None
    if not package.directory.is_dir():
        python = package_bytecode.interpreter(target.python)
        package = package if python else _package(builds, sources, target, form="sources")
    if not python and not package.directory.is_dir():
        _warn(target)
    if not package.directory.is_dir():
        _build(package.directory, sources, target, python)
    os.utime(package.directory)
    return package


def _package(builds: Path, sources: Sources, target: Target, *, form: str) -> LambdaPackage:
    fingerprint = _fingerprint(sources, target, form)
    return LambdaPackage(builds / f"package-{fingerprint[:16]}", fingerprint)


def _fingerprint(sources: Sources, target: Target, form: str) -> str:
    builder = (package_bytecode.__file__, package_contents.__file__, package_sources.__file__)
    parts = [f"{form}: {target}".encode(), importlib.metadata.version("uv").encode()]
    parts += [path.read_bytes() for path in (*sources.locks, *map(Path, (__file__, *builder)))]
    parts += [" ".join(sorted(sources.services)).encode()]
    parts += [part for path, text in sources.files.items() for part in (str(path).encode(), text)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _warn(target: Target) -> None:
    sys.stderr.write(
        f"warning: uv neither finds nor fetches Python {target.python}: the Lambda package is"
        " built without bytecode, and its cold starts take several times as long\n"
    )


def _build(package: Path, sources: Sources, target: Target, python: Sequence[str] | None) -> None:
    sys.stderr.write(f"building the Lambda package for {target} …\n")
    package.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent, prefix="unfinished-") as scratch:
        _move_into_place(_assemble(Path(scratch), sources, target, python), package)
    _forget_unused(package.parent)


def _assemble(
    scratch: Path, sources: Sources, target: Target, python: Sequence[str] | None
) -> Path:
    package = scratch / "package"
    _install(scratch, package, sources, target)
    _cut(package, sources.services)
    for path, content in sources.files.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_bytes(content)
    if python:
        ours = {path.parts[0] for path in sources.files}
        package_bytecode.compile_package(package, python, target, ours=ours)
    # Lambda runs as a user of its own, whatever mask the building user has.
    for path in package.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return package


def _install(scratch: Path, package: Path, sources: Sources, target: Target) -> None:
    excluded = scratch / "excluded.txt"
    excluded.write_text("\n".join(sources.excluded))
    command = [find_uv_bin(), "pip", "install", "--python", sys.executable]
    command += ["--target", str(package), "--python-version", target.python]
    command += ["--python-platform", target.platform] if target.platform else []
    command += [part for lock in sources.locks for part in ("--requirements", str(lock))]
    command += ["--require-hashes", "--excludes", str(excluded)]
    command += ["--only-binary", ":all:", "--no-progress"]
    locks = " and ".join(map(str, sources.locks))
    _run(command, f"the Lambda package for {target} cannot be built from {locks}")


def _run(command: list[str], failure: str) -> None:
    try:
        subprocess.run(  # noqa: S603  # our own arguments, and no shell
            command, check=True, capture_output=True, text=True, timeout=_TOOL_SECONDS
        )
    except subprocess.CalledProcessError as error:
        said = "\n  ".join(error.stderr.strip().splitlines()[-_TOOL_LINES_SHOWN:])
        raise PackageError(
            f"{failure}: `uv pip install` ended with status {error.returncode}:\n  {said}\n"
            "Is the package index reachable? After a change of requirements.txt, run `make lock`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"{failure}: `uv pip install` took more than {_TOOL_SECONDS} s. "
            "Is the package index reachable?"
        ) from error


def _cut(package: Path, kept: frozenset[str]) -> None:
    for cut in package_contents.CUTS:
        for path in package.glob(cut.pattern):
            if path.name in cut.keep | kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _move_into_place(made: Path, package: Path) -> None:
    try:
        made.rename(package)
    except OSError:
        if not package.is_dir():  # else another process was faster, and made the same
            raise


def _forget_unused(builds: Path) -> None:
    for build in builds.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process does the same
            if build.stat().st_mtime < time.time() - _KEPT_UNUSED_SECONDS:
                shutil.rmtree(build)
