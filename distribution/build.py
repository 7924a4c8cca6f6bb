"""Build the distribution, and an environment in which it is installed."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from uv import find_uv_bin

from distribution import ROOT


def build(directory: Path) -> Path:
    """Build the source distribution, and the wheel from it; offline, with the installed hatchling.

    Returns:
        The wheel.

    Raises:
        subprocess.CalledProcessError: The build fails; `stderr` has the reason.
    """
    _uv("build", "--no-build-isolation", "--python", sys.executable, "-o", str(directory), ROOT)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install(wheel: Path, venv: Path) -> Path:
    """Create an environment with a wheel, which shares the dependencies of this environment.

    Nothing of this repository's directory is importable there.

    Returns:
        The environment's interpreter.
    """
    _uv("venv", "--python", sys.executable, venv)
    python = venv / "bin" / "python"
    _uv("pip", "install", "--python", python, "--no-deps", wheel)
    packages = venv.glob("lib/python*/site-packages")
    next(packages).joinpath("shared.pth").write_text(sysconfig.get_path("purelib"))
    return python


def _uv(*arguments: str | Path) -> None:
    command = [find_uv_bin(), "--quiet", "--offline", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
