"""The build of a package: its contents, its fingerprint, other apps' additions, and failures."""

import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stacks.errors import PackageError
from stacks.packaging.contents import Additions, read_sources
from stacks.packaging.lambda_package import LambdaPackage, Target, build_package
from tests.infra.packages import code_in, real_package
from tests.infra.synthesis import ROOT

HOST = Target.of_host()
ARM = Target(python="3.13", platform="aarch64-manylinux2014")
LOCK = (ROOT / "lambda_src" / "requirements.lock").read_text()


def _locked(name: str) -> str:
    """Return a distribution's entry in the runtime's lock file."""
    entry = re.search(rf"(?ms)^{name}==.*?(?=^\S|\Z)", LOCK)
    assert entry
    return entry[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a built project whose runtime has one small dependency; no test changes it."""
    real_package(HOST)  # so that the dependency is available, or the test is skipped
    project = tmp_path_factory.mktemp("built")
    source = project / "lambda_src"
    source.mkdir()
    (source / "__init__.py").touch()
    (source / "index.py").write_text("HANDLED = True\n")
    (source / "requirements.txt").write_text("six\n")
    (source / "requirements.lock").write_text(_locked("six"))
    _build(project)
    return project


@pytest.fixture
def unbuilt(built: Path, tmp_path: Path) -> Path:
    """Return a copy of the project without its build."""
    shutil.copytree(built / "lambda_src", tmp_path / "lambda_src")
    return tmp_path


@pytest.fixture
def project(built: Path, unbuilt: Path) -> Path:
    """Return a copy of the project with its build, whose files are never changed."""
    shutil.copytree(built / ".build", unbuilt / ".build", copy_function=os.link)
    return unbuilt


def _build(project: Path, target: Target = HOST, **options: Additions) -> LambdaPackage:
    return build_package(target, project=project, runtime=project / "lambda_src", **options)


def _contents(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_contents(unbuilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package has our sources and bytecode, and its dependencies as bytecode only.

    Caches, hidden files, requirements and installers' files are left out. Every user can read it,
    regardless of the builder's umask; a dependency's traceback has its path in Lambda. Nothing is
    a link into a cache, whatever uv is configured to do.
    """
    monkeypatch.setenv("UV_LINK_MODE", "symlink")
    cache = unbuilt / "lambda_src" / "__pycache__"
    cache.mkdir()
    (cache / "index.cpython-27.pyc").touch()
    (unbuilt / "lambda_src" / ".index.py.swp").touch()

    package = _build(unbuilt).directory

    contents = _contents(package)
    version = f"cpython-{HOST.python.replace('.', '')}"
    assert {"six.pyc", f"lambda_src/__pycache__/index.{version}.pyc"} <= contents
    sources = {path for path in contents if path.endswith(".py")}
    assert {"lambda_src/__init__.py", "lambda_src/index.py"} == sources
    assert "HANDLED = True\n" == (package / "lambda_src" / "index.py").read_text()
    left_out = re.compile(r"cpython-27|/\.|^\.|requirements|RECORD|INSTALLER|REQUESTED")
    assert [] == [path for path in contents if left_out.search(path)]
    assert [] == [path for path in package.rglob("*") if path.is_symlink()]
    assert {0o644, 0o755} == {path.stat().st_mode & 0o777 for path in package.rglob("*")}
    assert "/var/task/six.py" == code_in(package / "six.pyc").co_filename


def test_two_builds_are_identical(project: Path) -> None:
    """A second build from scratch is identical to the last byte of its bytecode."""
    package = _build(project).directory
    first = {path: (package / path).read_bytes() for path in _contents(package)}
    shutil.rmtree(package)
    _build(project)
    assert first == {path: (package / path).read_bytes() for path in _contents(package)}


def test_package_without_its_python(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the target's Python is not available the package has only sources, with a warning."""
    contents = _contents(_build(project, Target(python="3.99", platform=None)).directory)
    assert "six.py" in contents
    assert [] == [path for path in contents if path.endswith(".pyc")]
    assert "without bytecode" in capsys.readouterr().err


def test_sources_that_do_not_compile(project: Path) -> None:
    """The error about one of our modules that does not compile names it."""
    (project / "lambda_src" / "index.py").write_text("def\n")
    with pytest.raises(PackageError, match=r"cannot be compiled(.|\n)*lambda_src/index\.py"):
        _build(project)


def test_invalid_definitions_stop_the_build(project: Path) -> None:
    """One line for each problem, of the runtime's and of added definitions; a mark is ignored."""
    valid = 'model = "m"\ninstructions = "i"\n'
    for file, content in {
        "lambda_src/assistants/marked.toml": valid.encode("utf-8-sig"),
        "lambda_src/assistants/one.toml": f"{valid}max_lenght = 5\n[variable.2]".encode(),
        "added/assistants/two.toml": valid.encode("utf-16"),
        "added/__init__.py": b"",
    }.items():
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_bytes(content)
    known = "model, instructions, variables, max_output_tokens, reasoning_effort, verbosity, checks"
    with pytest.raises(PackageError) as raised:
        _build(project, additions=Additions(packages=(project / "added",)))
    one, hint = "lambda_src/assistants/one.toml", " (did you mean variables?)"
    assert [
        f"{one}: max_lenght: expected only the keys {known}, found a number",
        f"{one}: variable: expected only the keys {known}, found an object{hint}",
        "added/assistants/two.toml: expected TOML in UTF-8, found another encoding (byte 1)",
    ] == str(raised.value).splitlines()


def test_package_is_built_once(project: Path) -> None:
    """A package is reused while its input is the same; caches of running sources do not count."""
    first = _build(project)
    built = first.directory.stat().st_ino
    (project / "lambda_src" / "__pycache__").mkdir()
    (project / "lambda_src" / "__pycache__" / "index.pyc").touch()
    assert first == _build(project)
    assert built == first.directory.stat().st_ino


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited source": lambda p: (p / "lambda_src/index.py").write_text("HANDLED = False\n"),
    "moved source": lambda p: (p / "lambda_src/index.py").rename(p / "lambda_src/other.py"),
    "added data": lambda p: (p / "lambda_src/sender.toml").write_text("model = 'm'\n"),
    "edited lock": lambda p: (p / "lambda_src/requirements.lock").write_text(f"{_locked('six')}#"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_makes_another_package(project: Path, change: str) -> None:
    """A change of sources or locked dependencies makes another package."""
    first = _build(project)
    CHANGES[change](project)
    assert first.fingerprint != _build(project).fingerprint


def test_another_target_makes_another_package(project: Path) -> None:
    """Each Python and platform has its own package."""
    assert _build(project, HOST).fingerprint != _build(project, ARM).fingerprint


def test_failed_build_leaves_nothing(unbuilt: Path) -> None:
    """A dependency that does not match its hash stops the build and leaves no partial package."""
    lock = unbuilt / "lambda_src" / "requirements.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{4}", "sha256:0000", lock.read_text()))
    with pytest.raises(PackageError) as error:
        _build(unbuilt)
    message = str(error.value)
    assert f"the Lambda package for {HOST} cannot be built from {lock}" in message
    assert re.search(r"six.*hash|hash.*six", message, re.IGNORECASE | re.DOTALL)
    assert "run `make lock`" in message
    assert [] == list((unbuilt / ".build").iterdir())


def test_concurrent_builds(unbuilt: Path) -> None:
    """Concurrent builds result in one complete package and nothing else."""
    with ThreadPoolExecutor(4) as pool:
        packages = set(pool.map(lambda _: _build(unbuilt), range(4)))
    (package,) = packages
    assert {"six.pyc", "lambda_src/index.py"} <= _contents(package.directory)
    kinds = [path.name.partition("-")[0] for path in (unbuilt / ".build").iterdir()]
    assert ["dependencies", "package"] == sorted(kinds)


def test_old_builds_are_removed(project: Path) -> None:
    """A build keeps the 8 that were used last, and all of the last hour, which may be in use."""
    first = _build(project).directory
    for number, hours in enumerate([0] * 6 + [2] * 8):
        (build := first.with_name(f"other-{number}")).mkdir()
        os.utime(build, (time.time() - hours * 3600,) * 2)
    os.utime(first, (0, 0))
    _build(project)
    CHANGES["edited source"](project)
    _build(project)
    recent = list(first.parent.iterdir())
    assert (6 + 3, True) == (len(recent), first in recent)
    for build in recent:
        os.utime(build, (0, 0))
    CHANGES["added data"](project)
    _build(project)
    assert 8 == len(list(first.parent.iterdir()))


def test_dependencies_are_installed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an edit only our modules are written, and those of the package before it stay."""
    first = _build(project).directory
    (project / "lambda_src" / "index.py").write_text("HANDLED = 1\n")
    for variable in ("UV_OFFLINE", "UV_NO_CACHE"):
        monkeypatch.setenv(variable, "1")
    second = _build(project).directory
    assert (first / "six.pyc").samefile(second / "six.pyc")
    assert "HANDLED = True\n" == (first / "lambda_src" / "index.py").read_text()
    assert "HANDLED = 1\n" == (second / "lambda_src" / "index.py").read_text()


def test_additions_of_another_app(project: Path) -> None:
    """The package has the app's code under its own name, and its own locked distributions.

    An excluded distribution is installed if the app's lock file lists it.
    """
    own, lock = project / "push_processor", project / "own.lock"
    own.mkdir()
    (own / "__init__.py").write_text("NAME = 'push'\n")
    lock.write_text(_locked("jmespath"))
    package = _build(project, additions=Additions(packages=(own,), lock=lock))
    found = {path.name.partition(".")[0] for path in package.directory.iterdir()}
    assert {"lambda_src", "push_processor", "six", "jmespath"} <= found
    assert package.fingerprint != _build(project).fingerprint
    lock.write_text("attrs==1.0 \\\n    --hash=sha256:00\n")
    excluded = read_sources(project / "lambda_src", Additions(lock=lock)).excluded
    assert (False, True) == ("attrs" in excluded, "aiohttp" in excluded)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("app/lambda_src", "two packages have the name lambda_src"),
        ("nowhere", r"expected the directory of a package at .*/nowhere"),
    ],
)
def test_wrong_additions(project: Path, path: str, problem: str) -> None:
    """Added code must exist, and must not have the runtime's name."""
    (project / "app" / "lambda_src").mkdir(parents=True)
    (project / "app" / "lambda_src" / "index.py").touch()
    with pytest.raises(PackageError, match=problem):
        read_sources(project / "lambda_src", Additions(packages=(project / path,)))
