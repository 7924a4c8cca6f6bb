"""docs/adding-a-channel.md, followed to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import paths

DOCUMENT = paths.ROOT / "docs" / "adding-a-channel.md"
COPIED = ("stacks", "lambda_src", "local", "conformance", "examples/contexts", "tests/conformance")
FILES = (
    "app.py",
    "cdk.json",
    "pyproject.toml",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/sharing.py",
)
SYNTHESIS = ("tests/infra/__init__.py", "tests/infra/synthesis.py")
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENTRY = "stacks/channels.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the page's steps were done."""
    root = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__", "test_document.py")
    for folder in COPIED:
        shutil.copytree(paths.ROOT / folder, root / folder, ignore=ignored)
    for file in (*FILES, *SYNTHESIS):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / file, root / file)
    for language, file, content in _BLOCK.findall(DOCUMENT.read_text("utf-8")):
        _follow(root, language, file, content)
    return root


def _follow(root: Path, language: str, file: str, content: str) -> None:
    if file == _ENTRY:
        entry = root / file
        lines = entry.read_text("utf-8")
        entry.write_text(re.sub(r"(?m)^CHANNELS = .*\n", lambda _: content, lines))
    elif file:
        (root / file).write_text(content)
    elif language == "sh" and "pytest" not in content:
        subprocess.run(["/bin/sh", "-ec", content], cwd=root, check=True)  # noqa: S603 - the page's


def test_the_pages_channel_conforms(copy: Path) -> None:
    """The toy channel of the page passes each check, and is deployed under its names."""
    chosen = ["tests/conformance", "-k", "pager or registered", "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pytest", "-q", *chosen],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert 0 == done.returncode, done.stdout
    assert "failed" not in done.stdout


def test_the_page_says_what_sms_took() -> None:
    """Every file of the page's table is there."""
    rows = re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert 4 == len(rows)
    assert all((paths.ROOT / row).is_file() for row in rows)
