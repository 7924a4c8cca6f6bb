"""The Python versions that the functions run on, each in a venv of its own.

uv finds such an interpreter or fetches it.
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
"""The runtime's own tests, which need nothing of the infrastructure."""


def function_versions() -> list[str]:
    """The Python versions of the environments' functions, e.g. `3.13`."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    runtimes = {settings["function_runtime"] for settings in context["environments"].values()}
    return sorted(runtime.removeprefix("python") for runtime in runtimes)


def other_versions() -> list[str]:
    """The same, but for the one that runs this."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [version for version in function_versions() if version != own]


def python_of(version: str) -> Path:
    """The interpreter of a version's venv, once that is prepared."""
    return VENVS / version / "bin" / "python"


def prepare(version: str) -> str | None:
    """Make a venv of that version, unless there is one of the same packages.

    Kept, it holds the bytecode of what its tests have imported.

    Returns:
        Why there is none, or None where there is one.
    """
    stamp, wanted = VENVS / version / "packages", _fingerprint()
    if python_of(version).exists() and stamp.is_file() and wanted == stamp.read_text():
        return None
    missing = _make(version)
    if not missing:
        stamp.write_text(wanted)
    return missing


def _fingerprint() -> str:
    """What the packages are decided by."""
    files = [(ROOT / name).read_bytes() for name in (*REQUIREMENTS, "constraints.txt")]
    return hashlib.sha256(b"\0".join(files)).hexdigest()


def _make(version: str) -> str | None:
    uv = find_uv_bin()
    # pyenv's commands of other versions answer only when they are asked for by this variable.
    pyenv = {"PYENV_VERSION": version}
    venv = str(VENVS / version)
    made = _run(uv, "venv", "--quiet", "--clear", "--python", version, venv, **pyenv)
    if made.returncode:
        return f"uv neither found nor fetched it ({made.stderr.strip().splitlines()[-1].strip()})"
    files = [part for name in REQUIREMENTS for part in ("--requirements", name)]
    _run(
        uv, "pip", "install", "--quiet", "--python", str(python_of(version)),
        *files, "--constraints", "constraints.txt",
    ).check_returncode()  # fmt: skip
    return None


def _run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
