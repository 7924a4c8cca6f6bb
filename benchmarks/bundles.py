"""The packages of all contestants, for the function's Python and this machine's processor."""

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

from lambda_src.core.contract import EVENTS_HANDLER, RECEIVER_HANDLER
from local.paths import ROOT
from stacks.packaging.lambda_package import Target, build_package, build_receiver
from tests.function_python import function_versions

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "benchmarks"


@dataclass(frozen=True)
class Bundle:
    """A contestant's package.

    Attributes:
        name: The contestant's name.
        handler: The Lambda handler.
        path: Directories to import from, in the order of `sys.path`.
    """

    name: str
    handler: str
    path: tuple[Path, ...]

    def zipped_bytes(self) -> int:
        """Return the size of the package as it is uploaded."""
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for directory in self.path:
                    for path in sorted(directory.rglob("*")):
                        if path.name != "requirements.txt":
                            archive.write(path, path.relative_to(directory))
            return file.tell()


def ours() -> Bundle:
    """Return our package as it is deployed, except for the architecture of compiled modules."""
    target = Target(python=python_version(), platform=f"{platform.machine()}-manylinux2014")
    return Bundle(
        "ours", "lambda_src.index.lambda_handler", (build_package(target, project=ROOT).directory,)
    )


def straightforward() -> Bundle:
    """Return the straightforward handler with what pip installs, without bytecode."""
    path = (HERE / "contestants" / "straightforward", installed("straightforward"))
    return Bundle("straightforward", "straightforward.lambda_handler", path)


def powertools() -> Bundle:
    """Return the straightforward handler inside Powertools' utilities."""
    own = (HERE / "contestants" / name for name in ("powertools", "straightforward"))
    return Bundle("powertools", "with_powertools.lambda_handler", (*own, installed("powertools")))


def worker() -> Bundle:
    """Return the events worker, which is in the same package."""
    return Bundle("worker", EVENTS_HANDLER, ours().path)


def receiver() -> Bundle:
    """Return the receiver's package, with our package's SDK in place of the runtime's."""
    path = (*ours().path, build_receiver(project=ROOT).directory)
    return Bundle("receiver", RECEIVER_HANDLER, path)


def limit() -> Bundle:
    """Return a handler that only creates three AWS clients, with our package's SDK."""
    own = HERE / "contestants" / "limit"
    return Bundle("limit", "three_clients.lambda_handler", (own, *ours().path))


@cache
def installed(contestant: str) -> Path:
    """Return the directory of a contestant's dependencies, installed once."""
    requirements = HERE / "contestants" / contestant / "requirements.txt"
    return _installed(requirements, "--python-platform", f"{platform.machine()}-manylinux2014")


@cache
def runtime_interface() -> Path:
    """Return the directory of Lambda's runtime interface client and its emulator."""
    directory = _installed(HERE / "requirements.txt", "--no-deps")
    subprocess.run([function_python(), "-m", "compileall", "-q", directory], check=False)  # noqa: S603
    return directory


@cache
def python_version() -> str:
    """Return the newest Python version of the deployed functions."""
    return function_versions()[-1]


@cache
def function_python() -> str:
    """Return an interpreter of that version without packages."""
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
        sys.exit(
            f"Python {version} is needed, the version of the functions: {found.stderr.strip()}"
        )
    return found.stdout.strip()


def _installed(requirements: Path, *arguments: str) -> Path:
    key = requirements.read_bytes() + " ".join((python_version(), *arguments)).encode()
    directory = CACHE / hashlib.sha256(key).hexdigest()[:16]
    if directory.is_dir():
        return directory
    scratch = directory.with_suffix(".unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", function_python()]
    command += ["--target", str(scratch), "--requirements", str(requirements), *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments
    scratch.rename(directory)
    return directory
