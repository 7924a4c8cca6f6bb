"""The Python versions that the functions run on, each in a venv of its own.

uv finds or downloads the interpreter.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / ".venv-function"
REQUIREMENTS = (
    "requirements-dev.txt",
    "lambda_src/requirements.txt",
    "local/requirements-client.txt",
)
SUITES = ("tests/unit", "tests/services")
"""The runtime's own tests, which do not need the infrastructure."""


def function_versions() -> list[str]:
    """Return the Python versions of the environments' functions, e.g. `3.13`."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    runtimes = {settings["function_runtime"] for settings in context["environments"].values()}
    return sorted(runtime.removeprefix("python") for runtime in runtimes)


def other_versions() -> list[str]:
    """Return those versions except this Python's."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [version for version in function_versions() if version != own]


def python_of(version: str) -> Path:
    """Return the interpreter of a version's prepared venv."""
    return VENVS / version / "bin" / "python"


def prepare(version: str) -> str | None:
    """Create a venv of that version, unless there is one with the same packages.

    It is kept, with the bytecode of what its tests have imported.

    Returns:
        Why it could not be created, or None.
    """
    stamp, wanted = VENVS / version / "packages", _fingerprint()
    if python_of(version).exists() and stamp.is_file() and wanted == stamp.read_text():
        return None
    missing = _make(version)
    if not missing:
        stamp.write_text(wanted)
    return missing


def _fingerprint() -> str:
    """Return a hash of everything that determines the packages."""
    files = [(ROOT / name).read_bytes() for name in (*REQUIREMENTS, "constraints.txt")]
    return hashlib.sha256(b"\0".join(files)).hexdigest()


def _make(version: str) -> str | None:
    venv = ("--quiet", "--clear", "--python", version, str(VENVS / version))
    made = _uv("venv", *venv, PYENV_VERSION=version)  # which selects the command of pyenv
    if made.returncode:
        problem = made.stderr.strip().splitlines()[-1].strip()
        return f"uv neither found nor downloaded it ({problem})"
    files = [part for name in REQUIREMENTS for part in ("--requirements", name)]
    python = ("--quiet", "--python", str(python_of(version)))
    _uv("pip", "install", *python, *files, "--constraints", "constraints.txt").check_returncode()
    return None


def _uv(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own arguments
        [find_uv_bin(), *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
    )
