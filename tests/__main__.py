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
from collections.abc import Iterator
from contextlib import ExitStack

from tests.function_python import ROOT, SUITES, other_versions, prepare, python_of

CORES = os.cpu_count() or 1
WORKERS, RUNTIME_WORKERS = 2 * CORES - 1, CORES
"""Processes of each run. Each imports and collects all tests of its run, which takes seconds, so
more of them gain nothing although their tests wait."""
ENVIRONMENT = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""With bytecode files: compiling the same libraries in each process takes a fifth of the time."""


def main() -> int:
    """Run all tests, and return the exit status of the first run that fails."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    with ExitStack() as stack:
        runs = []
        for version in _prepared_versions():
            report = stack.enter_context(tempfile.TemporaryFile())
            run = subprocess.Popen(  # noqa: S603 - our own arguments
                [python_of(version), "-m", "pytest", "-q", *_options(RUNTIME_WORKERS), *SUITES],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdout=report,
                stderr=subprocess.STDOUT,
            )
            stack.callback(run.terminate)
            runs.append((version, run, report))
        ignored = [f"--ignore={suite}" for suite in SUITES] if runs else []
        own = [sys.executable, "-m", "pytest", *_options(WORKERS), *ignored]
        statuses = [subprocess.call(own, cwd=ROOT, env=ENVIRONMENT)]  # noqa: S603 - the same
        for version, run, report in runs:
            statuses.append(run.wait())
            report.seek(0)
            text = report.read().decode(errors="replace")
            sys.stdout.write(f"the runtime's tests, on the functions' Python {version}:\n{text}\n")
        return max(statuses, key=bool)


def _options(workers: int) -> list[str]:
    """Return options of pytest; a worker runs all tests of a file, and the longest files start."""
    return ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]


def _prepared_versions() -> Iterator[str]:
    """Yield the functions' versions besides this one that have an interpreter."""
    for version in other_versions():
        if problem := prepare(version):
            sys.stdout.write(f"NOT RUN on the functions' Python {version}: {problem}\n")
        else:
            yield version


if __name__ == "__main__":
    sys.exit(main())
