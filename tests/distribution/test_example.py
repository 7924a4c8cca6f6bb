"""The example works as another repository, with the installed distribution."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distribution import ROOT
from stacks.packaging.lambda_package import Target
from tests.infra.packages import real_package

EXAMPLE = ROOT / "examples" / "push-notifications"
INSTALLED = ("ai_multi_comms.constructs", "ai_multi_comms.local.cloud", "lambda_src.processors")
SUITES = sorted(path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.glob("tests/test_*.py"))
WHERE = """
import importlib, json, sys
print(json.dumps([importlib.import_module(name).__file__ for name in sys.argv[1:]]))
"""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example with the tools that its README names."""
    real_package(Target.of_host())  # skips if the function's packages are not available
    copy = tmp_path_factory.mktemp("repository") / "push-notifications"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "cdk.out"))
    for tool in (".venv-cloud", "node_modules"):
        (copy / tool).symlink_to(ROOT / tool)
    return copy


def _run(python: Path, repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository; only Node.js comes from this environment."""
    path = [str(python.parent), str(Path(sys.prefix) / "bin"), os.environ["PATH"]]
    return subprocess.run(  # noqa: S603 - our own arguments
        [python, *command],
        cwd=repository,
        env=os.environ | {"PATH": os.pathsep.join(path), "UV_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def test_example_imports_installed_packages(python: Path, repository: Path) -> None:
    """The app imports constructs and runtime from the wheel."""
    done = _run(python, repository, "-c", WHERE, "push_app", *INSTALLED)
    assert not done.returncode, done.stderr
    app, *installed = map(Path, json.loads(done.stdout))
    assert repository == app.parent
    assert [True] * 3 == [file.is_relative_to(python.parent.parent) for file in installed]


@pytest.fixture(scope="session")
def report(python: Path, repository: Path) -> str:
    """Run the example's tests; return the report, with a line for each."""
    options = ("-q", "-rpfEsxX", "-p", "no:cacheprovider")
    done = _run(python, repository, "-m", "pytest", *options)
    return done.stdout + done.stderr


@pytest.mark.parametrize("suite", SUITES)
def test_example_passes_its_tests(report: str, suite: str) -> None:
    """Its tests pass: the sender's, the conformance checks and those of the deployed app."""
    outcomes = {line.split()[0] for line in report.splitlines() if f" {suite}:" in line}
    assert {"PASSED"} == outcomes, report
