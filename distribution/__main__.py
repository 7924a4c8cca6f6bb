"""Commands: `python -m distribution package`, `… pages` and `… surface`."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from distribution import ROOT
from distribution.api import CHANGED, PAGES, RECORD, differences, surface, write_pages
from distribution.build import build

BUILT = ROOT / "dist"


def package() -> str:
    """Build the distribution with its API pages, and check the wheel's content."""
    shutil.rmtree(BUILT, ignore_errors=True)
    write_pages(PAGES)
    if changes := differences(RECORD.read_text("utf-8"), surface()):
        sys.exit("error: " + CHANGED.format(changes=changes))
    wheel = build(BUILT)
    checker = Path(sysconfig.get_path("scripts"), "check-wheel-contents")
    subprocess.run([checker, "--config", ROOT / "pyproject.toml", wheel], check=True)  # noqa: S603 - our own
    return f"{wheel.relative_to(ROOT)} and the source distribution beside it are built"


def pages() -> str:
    """Write the API pages."""
    write_pages(PAGES)
    return f"the API pages are in {PAGES.relative_to(ROOT)}"


def record() -> str:
    """Record the public API."""
    RECORD.write_text(surface(), "utf-8")
    return f"the public API is recorded in {RECORD.relative_to(ROOT)}"


COMMANDS = {"package": package, "pages": pages, "surface": record}

if __name__ == "__main__":
    _, *arguments = sys.argv
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.exit(f"usage: python -m distribution {' | '.join(COMMANDS)}")
    sys.stdout.write(COMMANDS[arguments[0]]() + "\n")
