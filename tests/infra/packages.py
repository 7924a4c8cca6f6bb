"""The real Lambda package, for tests; they are skipped where it cannot be had, and say why."""

import subprocess
import sys

import pytest
from uv import find_uv_bin

from stacks.errors import PackageError
from stacks.lambda_package import LambdaPackage, build_package
from stacks.package_target import Target
from tests.infra.synthesis import ROOT


def real_package(target: Target) -> LambdaPackage:
    """Return the project's package for a target; skip when no index answers and none is cached."""
    try:
        return build_package(target, project=ROOT)
    except PackageError:
        if _index_answers():
            raise
        pytest.skip("the package index cannot be reached, and uv's cache lacks the dependencies")


def _index_answers() -> bool:
    command = [find_uv_bin(), "pip", "compile", "--no-cache", "--python", sys.executable, "-"]
    asked = subprocess.run(  # noqa: S603  # our own arguments, and no shell
        command, input="six", capture_output=True, text=True, timeout=60, check=False
    )
    return asked.returncode == 0
