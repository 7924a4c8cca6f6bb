"""The distribution, built and installed once."""

from pathlib import Path

import pytest

from distribution.build import build, install


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the source distribution."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment in which the wheel is installed."""
    return install(wheel, tmp_path_factory.mktemp("other") / "venv")
