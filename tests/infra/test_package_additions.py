"""An app of another repository puts its own processor code beside the runtime."""

import re
from pathlib import Path

import pytest

from stacks.errors import PackageError
from stacks.lambda_package import build_package
from stacks.package_sources import Additions, read_sources
from stacks.package_target import Target
from tests.infra.packages import real_package
from tests.infra.synthesis import ROOT

HOST = Target.of_host()
LOCK = (ROOT / "lambda_src" / "requirements.lock").read_text()


def _locked(*names: str) -> str:
    return "".join(re.search(rf"(?ms)^{name}==.*?(?=^\S|\Z)", LOCK)[0] for name in names)  # type: ignore[index]  # every name is in it


def _package(root: Path, name: str, lock: str = "") -> Path:
    directory = root / name
    directory.mkdir()
    (directory / "__init__.py").write_text(f"NAME = {name!r}\n")
    (directory / "requirements.lock").write_text(lock)
    return directory


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Return a runtime with one small dependency."""
    return _package(tmp_path, "lambda_src", _locked("six"))


def test_own_code_and_what_it_needs_are_added(runtime: Path, tmp_path: Path) -> None:
    """The package has the app's code under its own name, and its own locked distributions."""
    real_package(HOST)  # so that the dependencies can be had, or the test is skipped
    own = _package(tmp_path, "push_processor")
    lock = tmp_path / "own.lock"
    lock.write_text(_locked("jmespath"))

    package = build_package(
        HOST,
        project=tmp_path,
        runtime=runtime,
        additions=Additions(packages=(own,), lock=lock),
    )

    found = {path.name.partition(".")[0] for path in package.directory.iterdir()}
    assert {"lambda_src", "push_processor", "six", "jmespath"} <= found
    alone = build_package(HOST, project=tmp_path, runtime=runtime)
    assert alone.fingerprint != package.fingerprint


def test_what_an_app_locks_is_installed(runtime: Path, tmp_path: Path) -> None:
    """A distribution that the runtime does without is not left out where the app names it."""
    lock = tmp_path / "own.lock"
    lock.write_text("attrs==1.0 \\\n    --hash=sha256:00\n")
    excluded = read_sources(runtime, Additions(lock=lock)).excluded
    assert ("attrs" in excluded, "aiohttp" in excluded) == (False, True)


def test_two_packages_of_one_name_are_refused(runtime: Path, tmp_path: Path) -> None:
    """The app's code must not hide the runtime's."""
    (tmp_path / "app").mkdir()
    own = _package(tmp_path / "app", "lambda_src")
    with pytest.raises(PackageError, match="two packages have the name lambda_src"):
        read_sources(runtime, Additions(packages=(own,)))


def test_a_package_that_is_not_there_is_named(runtime: Path, tmp_path: Path) -> None:
    """A directory that does not exist stops the build with its path."""
    with pytest.raises(PackageError, match=r"expected the directory of a package at .*/nowhere"):
        read_sources(runtime, Additions(packages=(tmp_path / "nowhere",)))
