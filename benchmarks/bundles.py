"""Bundles: what Lambda unpacks for each contestant, for its Python and this machine's processor."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from local.paths import ROOT
from stacks.lambda_package import build_package
from stacks.package_target import Target
from tests.function_python import function_versions

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "benchmarks"


@dataclass(frozen=True)
class Bundle:
    """A handler and where its modules are.

    Attributes:
        name: Of the contestant.
        handler: As Lambda is told it.
        path: Directories to import from, as `sys.path` has them.
    """

    name: str
    handler: str
    path: tuple[Path, ...]

    def zipped_bytes(self) -> int:
        """What the bundle weighs as it is uploaded."""
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for directory in self.path:
                    for path in sorted(directory.rglob("*")):
                        if path.name != "requirements.txt":
                            archive.write(path, path.relative_to(directory))
            return file.tell()


def ours() -> Bundle:
    """Our package, as it is deployed but for the processor of its compiled modules."""
    target = Target(python=python_version(), platform=f"{platform.machine()}-manylinux2014")
    return Bundle(
        "ours", "lambda_src.index.lambda_handler", (build_package(target, project=ROOT).directory,)
    )


def straightforward() -> Bundle:
    """The straightforward handler, zipped as is common: what pip installs, and no bytecode."""
    path = (HERE / "contestants" / "straightforward", installed("straightforward"))
    return Bundle("straightforward", "straightforward.lambda_handler", path)


def powertools() -> Bundle:
    """The same within Powertools' utilities."""
    own = (HERE / "contestants" / name for name in ("powertools", "straightforward"))
    return Bundle("powertools", "with_powertools.lambda_handler", (*own, installed("powertools")))


def limit() -> Bundle:
    """Three AWS clients, out of our package."""
    own = HERE / "contestants" / "limit"
    return Bundle("limit", "three_clients.lambda_handler", (own, *ours().path))


@cache
def installed(contestant: str) -> Path:
    """A contestant's dependencies, in a directory made once."""
    requirements = HERE / "contestants" / contestant / "requirements.txt"
    return _installed(requirements, "--python-platform", f"{platform.machine()}-manylinux2014")


@cache
def runtime_interface() -> Path:
    """The directory of the programs that stand between Lambda and a handler."""
    made = _installed(HERE / "requirements.txt", "--no-deps")
    subprocess.run([function_python(), "-m", "compileall", "-q", made], check=False)  # noqa: S603
    return made


@cache
def python_version() -> str:
    """The Python of the deployed functions, the newest where they differ."""
    return function_versions()[-1]


@cache
def function_python() -> str:
    """An interpreter of that version, without anything installed."""
    version = python_version()
    found = subprocess.run(  # noqa: S603 - our own arguments
        [find_uv_bin(), "python", "find", "--no-project", "--system", version],
        env={**os.environ, "PYENV_VERSION": version},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        sys.exit(f"Python {version} is needed, which the functions run on: {found.stderr.strip()}")
    return found.stdout.strip()


def _installed(requirements: Path, *arguments: str) -> Path:
    wanted = requirements.read_bytes() + " ".join((python_version(), *arguments)).encode()
    directory = CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    if directory.is_dir():
        return directory
    scratch = directory.with_suffix(".unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", function_python()]
    command += ["--target", str(scratch), "--requirements", str(requirements), *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments
    scratch.rename(directory)
    return directory
