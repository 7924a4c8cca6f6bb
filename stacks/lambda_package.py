"""Builds the Lambda package without Docker, and only when something in it changed.

A finished package is a directory named after a fingerprint of all that it is made from. It is
built beside its final place and moved there in one step, so that a directory that exists is whole
and any number of processes may build at once.
"""

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from uv import find_uv_bin

from stacks import package_contents
from stacks.errors import PackageError

PROJECT = Path(__file__).resolve().parent.parent
_TOOL_LINES_SHOWN = 8
_TOOL_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a package is built to run on.

    Attributes:
        python: Python's version, as far as compiled modules depend on it: `3.13`.
        platform: The platform as uv names it; None is the machine that builds.
    """

    python: str
    platform: str | None

    @classmethod
    def of_function(cls, runtime: lambda_.Runtime, architecture: lambda_.Architecture) -> "Target":
        """Return what a function of this runtime and architecture runs on."""
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture.name]
        return cls(python=runtime.name.removeprefix("python"), platform=f"{machine}-manylinux2014")

    @classmethod
    def of_host(cls) -> "Target":
        """Return the Python and the machine that run synth."""
        return cls(python=sysconfig.get_python_version(), platform=None)

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform or sysconfig.get_platform()}"


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


def build_package(target: Target, *, project: Path = PROJECT) -> LambdaPackage:
    """Return the package of `project`/lambda_src for the target, built if it is not there yet.

    Raises:
        PackageError: It cannot be built; nothing is left behind.
    """
    source, lock = project / "lambda_src", project / "lambda_src" / "requirements.lock"
    fingerprint = _fingerprint(source, lock, target)
    builds = project / ".build"
    package = builds / f"package-{fingerprint[:16]}"
    if not package.is_dir():
        builds.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=builds, prefix="unfinished-") as scratch:
            _move_into_place(_assemble(Path(scratch), source, lock, target), package)
    return LambdaPackage(package, fingerprint)


def _fingerprint(source: Path, lock: Path, target: Target) -> str:
    digest = hashlib.sha256(f"{target}, uv {importlib.metadata.version('uv')}".encode())
    for path in (lock, Path(__file__), Path(package_contents.__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for path in _sources(source):
        digest.update(f"\0{path.relative_to(source)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources(source: Path) -> list[Path]:
    return [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(map(_left_out, path.relative_to(source).parts))
    ]


def _left_out(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in package_contents.SOURCES_LEFT_OUT)


def _assemble(scratch: Path, source: Path, lock: Path, target: Target) -> Path:
    package = scratch / "package"
    _install(scratch, package, lock, target)
    _cut(package)
    for path in _sources(source):
        copy = package / source.name / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    # Lambda runs as a user of its own, whatever mask the building user has.
    for path in package.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return package


def _install(scratch: Path, package: Path, lock: Path, target: Target) -> None:
    excluded = scratch / "excluded.txt"
    excluded.write_text("\n".join(package_contents.EXCLUDED_DISTRIBUTIONS))
    command = [find_uv_bin(), "pip", "install", "--python", sys.executable]
    command += ["--target", str(package), "--python-version", target.python]
    command += ["--python-platform", target.platform] if target.platform else []
    command += ["--requirements", str(lock), "--require-hashes", "--excludes", str(excluded)]
    command += ["--only-binary", ":all:", "--no-progress"]
    _run(command, f"the Lambda package for {target} cannot be built from {lock}")


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


def _cut(package: Path) -> None:
    for cut in package_contents.CUTS:
        for path in package.glob(cut.pattern):
            if path.name in cut.keep:
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
