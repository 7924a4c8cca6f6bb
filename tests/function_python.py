"""Runs the runtime's tests once more, on the Python version that the function runs on.

uv finds that interpreter or fetches it. Where it can be neither found nor fetched the tests are
left out, and the output says so: they have run on this machine's own version all the same.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-function"
REQUIREMENTS = (
    "requirements-dev.txt",
    "lambda_src/requirements.txt",
    "local/requirements-client.txt",
)
SUITES = ("tests/unit", "tests/services")
SPREAD = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
"""A file's tests share what it has started, hence one worker for each; the longest files begin."""


def function_versions() -> list[str]:
    """The Python versions of the environments' functions, e.g. `3.13`."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    runtimes = {settings["function_runtime"] for settings in context["environments"].values()}
    return sorted(runtime.removeprefix("python") for runtime in runtimes)


def prepare(version: str) -> str | None:
    """Make a venv of that version.

    Returns:
        Why there is none, or None where there is one.
    """
    uv = find_uv_bin()
    # pyenv's commands of other versions answer only when they are asked for by this variable.
    pyenv = {"PYENV_VERSION": version}
    made = _run(uv, "venv", "--quiet", "--clear", "--python", version, str(VENV), **pyenv)
    if made.returncode:
        return f"uv neither found nor fetched it ({made.stderr.strip().splitlines()[-1].strip()})"
    files = [part for name in REQUIREMENTS for part in ("--requirements", name)]
    _run(
        uv, "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python"),
        *files, "--constraints", "constraints.txt",
    ).check_returncode()  # fmt: skip
    return None


def main() -> int:
    """Run the suites; return the exit status."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    for version in function_versions():
        if version == own:
            print(f"Python {own} is the function's own version: nothing to run again.")
            continue
        missing = prepare(version)
        if missing:
            print(f"NOT RUN on the function's Python {version}: {missing}")
            continue
        print(f"the runtime's tests on the function's Python {version}:", flush=True)
        python = str(VENV / "bin" / "python")
        suites = [python, "-m", "pytest", "-q", *SPREAD, *SUITES]
        status = subprocess.run(suites, cwd=ROOT, check=False).returncode  # noqa: S603 - our own arguments
        if status:
            return status
    return 0


def _run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
