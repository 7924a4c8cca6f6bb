"""Runs every test once: the runtime's on the functions' own Python, all others on this one.

If no interpreter of the functions' version can be found or downloaded, the output says so and all
tests run on this Python. The parts of the runtime that synth and the local cloud use are tested on
it in any case.

Tests wait for servers, timeouts and processes for much of their time, so both runs proceed at the
same time, and each report is shown after the one before.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tests.function_python import ROOT, SUITES, other_versions, prepare, python_of

CORES = os.cpu_count() or 1
WORKERS, RUNTIME_WORKERS = 2 * CORES - 1, CORES
"""Processes of each run. Each imports and collects all tests of its run, which takes seconds, so
more of them gain nothing although their tests wait."""
DISTRIBUTION = ("--dist", "loadfile", "--no-loadscope-reorder")
"""A file's tests share what it has started, so one worker runs them; the longest files start."""


class Run:
    """A run of pytest in the background, whose report is stored until it is requested.

    Args:
        title: Shown above the report.
        python: The interpreter.
        arguments: Pytest's.
    """

    def __init__(self, title: str, python: Path, *arguments: str) -> None:
        self._title = title
        self._report: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [python, "-m", "pytest", "-q", "-n", str(RUNTIME_WORKERS), *DISTRIBUTION, *arguments],
            cwd=ROOT,
            env=environment(),
            stdout=self._report,
            stderr=subprocess.STDOUT,
        )

    def status(self) -> int:
        """Wait for the end, show the report, and return the exit status."""
        status = self._process.wait()
        self._report.seek(0)
        text = self._report.read().decode(errors="replace")
        sys.stdout.write(f"{self._title}\n{text}\n")
        return status

    def stop(self) -> None:
        """Stop it if it is still running."""
        self._process.terminate()
        self._report.close()


def environment() -> dict[str, str]:
    """Return this process's environment, but with bytecode files.

    Compiling the same libraries in each process would take a fifth of the whole time.
    """
    return {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> int:
    """Run all tests, and return the exit status of the first run that fails."""
    with ExitStack() as stack:
        runs = []
        for version in _prepared_versions():
            title = f"the runtime's tests, on the functions' Python {version}:"
            runs.append(Run(title, python_of(version), *SUITES))
            stack.callback(runs[-1].stop)
        ignored = [f"--ignore={suite}" for suite in SUITES] if runs else []
        own = subprocess.call(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "pytest", "-n", str(WORKERS), *DISTRIBUTION, *ignored],
            cwd=ROOT,
            env=environment(),
        )
        return max([own, *(run.status() for run in runs)], key=bool)


def _prepared_versions() -> list[str]:
    """Return the functions' versions besides this one that have an interpreter."""
    prepared = []
    for version in other_versions():
        problem = prepare(version)
        if problem:
            sys.stdout.write(f"NOT RUN on the functions' Python {version}: {problem}\n")
        else:
            prepared.append(version)
    return prepared


if __name__ == "__main__":
    sys.exit(main())
