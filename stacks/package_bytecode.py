"""Bytecode of the Lambda package: in Lambda's task root, which is read-only, none is ever kept.

Dependencies are packed as bytecode alone, since both forms together weigh twice as much. Our own
modules keep their sources too, so that a traceback shows our lines; a dependency's frame names its
file, line and function.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from uv import find_uv_bin

from stacks.errors import PackageError
from stacks.package_target import Target

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a package, and so what tracebacks call the place of a module."""
_SECONDS = 300


def interpreter(version: str) -> tuple[str, ...] | None:
    """Return the command of a Python of that minor version, which uv finds or fetches, if any."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return (sys.executable,)
    uv_run = (find_uv_bin(), "run", "--quiet", "--no-project", "--python", version, "--", "python")
    return uv_run if _run([*uv_run, "-c", ""], version).returncode == 0 else None


def compile_package(
    package: Path, python: Sequence[str], target: Target, *, ours: Collection[str]
) -> None:
    """Compile every module of a package for the target.

    Args:
        package: Directory of the whole package.
        python: Command of the target's Python.
        target: What the package is built for.
        ours: Names of the folders in it whose sources stay.

    Raises:
        PackageError: A module of ours does not compile.
    """
    # Bytecode that is never checked against a source: nothing in a package changes.
    command = [*python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode"]
    command += ["unchecked-hash", "-s", str(package), "-p", TASK_ROOT]
    own = [str(package / name) for name in sorted(ours)]
    done = _run([*command, *own], target.python)
    if done.returncode:
        raise PackageError(f"it cannot be compiled for {target}:\n{done.stdout}{done.stderr}")
    others = [str(path) for path in sorted(package.iterdir()) if path.name not in ours]
    # Some distributions carry files for other versions of Python: those stay as they are.
    _run([*command, "-b", *others], target.python)
    for bytecode in package.rglob("*.pyc"):
        bytecode.with_suffix(".py").unlink(missing_ok=True)


def _run(command: Sequence[str], version: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYENV_VERSION": version,  # pyenv's commands of other versions answer only when asked so
        "UV_HTTP_RETRIES": "1",  # whoever has no network does not wait for it at each synth
        "PYTHONHASHSEED": "0",  # the order of a set's constants becomes part of the bytecode
    }
    return subprocess.run(  # noqa: S603  # our own arguments, and no shell
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
