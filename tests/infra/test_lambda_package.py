"""Packages are built once for what they are made of, whole or not at all."""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stacks.errors import PackageError
from stacks.lambda_package import LambdaPackage, build_package
from stacks.package_target import Target
from tests.infra.missing_imports import code_in
from tests.infra.packages import real_package
from tests.infra.synthesis import ROOT

HOST = Target.of_host()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with sources and one small dependency, locked as the real one is."""
    real_package(HOST)  # so that the dependency can be had, or the test is skipped
    source = tmp_path / "lambda_src"
    source.mkdir()
    (source / "__init__.py").touch()
    (source / "index.py").write_text("HANDLED = True\n")
    (source / "requirements.txt").write_text("six\n")
    lock = (ROOT / "lambda_src" / "requirements.lock").read_text()
    (source / "requirements.lock").write_text(re.findall(r"(?ms)^six==.*?^ +#", lock)[0])
    return tmp_path


def _build(project: Path, target: Target = HOST) -> LambdaPackage:
    return build_package(target, project=project, runtime=project / "lambda_src")


def _contents(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_package_holds_sources_and_dependencies(project: Path) -> None:
    """A package has the sources as a package of that name, and what they depend on."""
    package = _build(project)

    contents = _contents(package.directory)
    assert {"six.pyc", "lambda_src/__init__.py", "lambda_src/index.py"} <= contents
    assert (project / "lambda_src" / "index.py").read_text() == (
        package.directory / "lambda_src" / "index.py"
    ).read_text()


def test_package_leaves_out_what_does_not_run(project: Path) -> None:
    """Caches, hidden files, lists of requirements and installers' notes stay behind."""
    cache = project / "lambda_src" / "__pycache__"
    cache.mkdir()
    (cache / "index.cpython-27.pyc").touch()
    (project / "lambda_src" / ".index.py.swp").touch()

    contents = _contents(_build(project).directory)

    left_out = re.compile(r"cpython-27|/\.|^\.|requirements|RECORD|INSTALLER|REQUESTED")
    assert [] == [path for path in contents if left_out.search(path)]


def test_two_builds_are_the_same(project: Path) -> None:
    """Built again from scratch, a package is the same to the last byte of its bytecode."""
    package = _build(project).directory
    first = {path: path.read_bytes() for path in package.rglob("*") if path.is_file()}

    shutil.rmtree(package)
    _build(project)

    assert first == {path: path.read_bytes() for path in package.rglob("*") if path.is_file()}


def test_only_our_sources_are_packed(project: Path) -> None:
    """Dependencies are there as bytecode alone; ours have both, so that tracebacks show lines."""
    contents = _contents(_build(project).directory)

    ours = {"lambda_src/__init__.py", "lambda_src/index.py"}
    assert ours == {path for path in contents if path.endswith(".py")}
    version = f"cpython-{HOST.python.replace('.', '')}"
    assert f"lambda_src/__pycache__/index.{version}.pyc" in contents


def test_bytecode_says_where_lambda_unpacks_it(project: Path) -> None:
    """A dependency's frame in a traceback names its file below Lambda's task root."""
    package = _build(project).directory

    assert "/var/task/six.py" == code_in(package / "six.pyc").co_filename


def test_without_its_python_a_package_holds_sources(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the target's Python cannot be had the package is one of sources, and synth says so."""
    package = _build(project, Target(python="3.99", platform=None)).directory

    contents = _contents(package)
    assert "six.py" in contents
    assert [] == [path for path in contents if path.endswith(".pyc")]
    assert "without bytecode" in capsys.readouterr().err


def test_sources_that_do_not_compile_make_no_package(project: Path) -> None:
    """A module of ours that is no Python stops the build, which names it."""
    (project / "lambda_src" / "index.py").write_text("def\n")

    with pytest.raises(PackageError, match=r"cannot be compiled(.|\n)*lambda_src/index\.py"):
        _build(project)


def test_package_is_readable_by_anybody(project: Path) -> None:
    """Lambda's own user can read every file, whatever mask the builder has."""
    package = _build(project)

    assert {0o644, 0o755} == {path.stat().st_mode & 0o777 for path in package.directory.rglob("*")}


def test_package_is_built_once(project: Path) -> None:
    """What was built is used again while nothing in it changed."""
    first = _build(project)
    built = first.directory.stat().st_ino

    assert first == _build(project)
    assert built == first.directory.stat().st_ino


def _edit_source(project: Path) -> None:
    (project / "lambda_src" / "index.py").write_text("HANDLED = False\n")


def _move_source(project: Path) -> None:
    source = project / "lambda_src"
    (source / "index.py").rename(source / "other.py")


def _add_data(project: Path) -> None:
    (project / "lambda_src" / "sender.toml").write_text("model = 'm'\n")


def _edit_lock(project: Path) -> None:
    with (project / "lambda_src" / "requirements.lock").open("a") as lock:
        lock.write("\n# another comment\n")


@pytest.mark.parametrize("change", [_edit_source, _move_source, _add_data, _edit_lock])
def test_a_change_makes_another_package(project: Path, change: Callable[[Path], None]) -> None:
    """Any change of sources or locked dependencies makes a package of its own."""
    first = _build(project)

    change(project)

    assert first.fingerprint != _build(project).fingerprint


def test_another_target_makes_another_package(project: Path) -> None:
    """Each Python and platform has a package of its own."""
    arm = Target(python="3.13", platform="aarch64-manylinux2014")
    packages = {
        _build(project, target).fingerprint
        for target in (HOST, arm, dataclasses.replace(arm, python="3.12"))
    }

    assert 3 == len(packages)


def test_caches_do_not_count(project: Path) -> None:
    """Running the sources, which leaves caches, does not make another package."""
    first = _build(project)

    (project / "lambda_src" / "__pycache__").mkdir()
    (project / "lambda_src" / "__pycache__" / "index.pyc").touch()

    assert first == _build(project)


def test_a_failed_build_leaves_nothing(project: Path) -> None:
    """A dependency that is not what was locked stops the build; no package is left half-made."""
    lock = project / "lambda_src" / "requirements.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{4}", "sha256:0000", lock.read_text()))

    with pytest.raises(PackageError) as failed:
        _build(project)

    message = str(failed.value)
    assert f"the Lambda package for {HOST} cannot be built from {lock}" in message
    assert re.search(r"six.*hash|hash.*six", message, re.IGNORECASE | re.DOTALL)
    assert "run `make lock`" in message
    assert [] == list((project / ".build").iterdir())


def test_packages_are_built_side_by_side(project: Path) -> None:
    """Builds at the same time end in one whole package, and nothing beside it."""
    with ThreadPoolExecutor(4) as pool:
        packages = set(pool.map(lambda _: _build(project), range(4)))

    (package,) = packages
    assert {"six.pyc", "lambda_src/index.py"} <= _contents(package.directory)
    assert [package.directory] == list((project / ".build").iterdir())


def test_unused_packages_are_forgotten(project: Path) -> None:
    """A new build removes packages that nothing used for a week, and keeps the others."""
    forgotten, kept = _build(project), project / ".build" / "package-kept"
    kept.mkdir()
    os.utime(forgotten.directory, (0, 0))

    _edit_source(project)
    built = _build(project)

    assert {kept, built.directory} == set((project / ".build").iterdir())


def test_using_a_package_keeps_it(project: Path) -> None:
    """A package that is used counts as new, however long ago it was built."""
    package = _build(project)
    os.utime(package.directory, (0, 0))

    _build(project)
    _edit_source(project)
    _build(project)

    assert package.directory.is_dir()
