"""The installation by `make`: why it failed, and where its caches are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROXY = "http://127.0.0.1:9"


def _make(
    directory: Path, *arguments: str, **variables: object
) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", directory)
    variables = {"PATH": os.environ["PATH"], "HOME": directory} | variables
    return subprocess.run(  # noqa: S603 - our own arguments
        ["make", *arguments],  # noqa: S607 - the one on the path
        cwd=directory,
        env={name: str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_failed_installation_has_its_reason(tmp_path: Path) -> None:
    """If the package index cannot be reached, the error of uv is shown, and a page named."""
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    (binaries / "uv").symlink_to(Path(sys.prefix, "bin", "uv"))
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    (tmp_path / "requirements.txt").write_text("no-such-distribution==1\n")
    no_retries = {"UV_HTTP_RETRIES": 0, "UV_NO_CACHE": 1}
    done = _make(tmp_path, ".venv/.synth", HTTPS_PROXY=PROXY, **no_retries)
    assert 2 == done.returncode
    assert "Connection refused" in done.stderr
    assert "docs/setup.md" in done.stderr
    assert not (tmp_path / ".venv/.synth").exists()


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({}, ""),
        ({"HOME": "/proc/nowhere"}, "{}/.cache"),
        ({"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/own"}, "/own"),
    ],
)
def test_caches_need_no_home(tmp_path: Path, variables: dict[str, str], cache: str) -> None:
    """Caches are in the project if the home directory cannot be written, unless set otherwise."""
    (tmp_path / "show.mk").write_text("show: ; @echo $$XDG_CACHE_HOME\n")
    done = _make(tmp_path, "-f", "Makefile", "-f", "show.mk", "show", **variables)
    assert cache.format(tmp_path) == done.stdout.strip()
