"""Runs every test, once: the runtime's on the functions' own Python, all others on this machine's.

Where an interpreter of the functions' version can be neither found nor fetched, the output says so,
and all tests run on this machine's own. The parts of the runtime that synth and the local cloud use
are run on it all the same, by the tests of those, by the alarms' and by the proof's.

About half of a test's time is waiting, for servers, timeouts and processes; so the runs are made at
once, and each shows its report when the one before has.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tests.function_python import ROOT, SUITES, other_versions, prepare, python_of

WORKERS = 2 * (os.cpu_count() or 1)
"""Of each run: more than there are cores, since most of their time is waiting."""
SPREAD = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
"""A file's tests share what it has started, hence one worker for each; the longest files begin."""


class Run:
    """A run of pytest, whose report is kept until it is asked for.

    Args:
        title: What is shown above the report.
        python: The interpreter.
        arguments: Of pytest.
    """

    def __init__(self, title: str, python: Path, *arguments: str) -> None:
        self._title = title
        self._report: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [python, "-m", "pytest", "-q", *SPREAD, *arguments],
            cwd=ROOT,
            env=environment(),
            stdout=self._report,
            stderr=subprocess.STDOUT,
        )

    def status(self) -> int:
        """Wait for its end, show its report, and return its exit status."""
        status = self._process.wait()
        self._report.seek(0)
        text = self._report.read().decode(errors="replace")
        sys.stdout.write(f"{self._title}\n{text}\n")
        return status

    def end(self) -> None:
        """End it, if it still runs."""
        self._process.terminate()
        self._report.close()


def environment() -> dict[str, str]:
    """This process's, in which bytecode may be kept.

    A fifth of the whole time would go into compiling the same libraries in each process anew.
    """
    return {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> int:
    """Run all; return the exit status of the first that fails."""
    with ExitStack() as running:
        runs = []
        for version in _prepared():
            title = f"the runtime's tests, on the functions' Python {version}:"
            runs.append(Run(title, python_of(version), *SUITES))
            running.callback(runs[-1].end)
        left_out = [f"--ignore={suite}" for suite in SUITES] if runs else []
        own = subprocess.call(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "pytest", *SPREAD, *left_out], cwd=ROOT, env=environment()
        )
        return max([own, *(run.status() for run in runs)], key=bool)


def _prepared() -> list[str]:
    """The functions' versions that the runtime's tests can be run on, and are not run on anyway."""
    prepared = []
    for version in other_versions():
        missing = prepare(version)
        if missing:
            sys.stdout.write(f"NOT RUN on the functions' Python {version}: {missing}\n")
        else:
            prepared.append(version)
    return prepared


if __name__ == "__main__":
    sys.exit(main())
