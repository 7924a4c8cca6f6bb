"""`cdk synth` of the app with nothing changed, beside that of an app with one empty stack."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, Goal
from local import paths
from tests.faults.report.terminal import OnProgress

EMPTY_APP = "from aws_cdk import App, Stack; app = App(); Stack(app, 'Empty'); app.synth()"


def measure(rounds: int, tell: OnProgress) -> Figure:
    """Synthesize both in turn, with the CDK's command line."""
    seconds: dict[str, list[float]] = {"ours": [], "limit": []}
    with tempfile.TemporaryDirectory() as scratch:
        empty = f'{sys.executable} -c "{EMPTY_APP}"'
        for done in range(rounds + 1):
            ours = _synthesize(paths.ROOT, Path(scratch) / "ours", "-c", "env=dev")
            limit = _synthesize(Path(scratch), Path(scratch) / "empty", "--app", empty)
            if done:  # the first round builds the package, where it is not there yet
                seconds["ours"].append(ours)
                seconds["limit"].append(limit)
            tell(done, rounds)
    return Figure("cdk synth, warm, nothing changed", "s", seconds, (Goal(2.0, "limit"),))


def _synthesize(directory: Path, output: Path, *arguments: str) -> float:
    command = [str(paths.CDK), "synth", "--no-notices", "--quiet", "--output", str(output)]
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own arguments
        [*command, *arguments],
        cwd=directory,
        env={**os.environ, "PATH": f"{paths.VENV_BIN}{os.pathsep}{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started
