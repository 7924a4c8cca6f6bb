"""Runs every test: on this machine's Python, and at once the runtime's on the function's own.

About half of a test's time is waiting, for servers, timeouts and processes; so the two runs
together take little longer than the first alone. Their reports come one after the other.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from tests.function_python import SPREAD

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run both; return the exit status of the first that fails."""
    with tempfile.TemporaryFile() as report:
        beside = _start("tests.function_python", report=report)
        try:
            own = _start("pytest", *SPREAD).wait()
            functions = beside.wait()
        finally:
            beside.terminate()
        report.seek(0)
        sys.stdout.write(report.read().decode(errors="replace"))
    return own or functions


def _start(
    module: str, *arguments: str, report: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=report,
        stderr=subprocess.STDOUT if report else None,
    )


if __name__ == "__main__":
    sys.exit(main())
