"""Builds the Lambda package without Docker, and only when its input has changed.

A package is a directory named after a fingerprint of its input. It is built in a temporary
directory and renamed in one step, so that an existing directory is complete and several processes
may build at the same time. The dependencies, most of a package, are installed once in a directory
of their own, to whose files packages have hard links: after an edit only our modules are written.

Lambda's task root is read-only, so Python cannot write bytecode there: the package contains it.
Dependencies are packed as bytecode only, because both forms together are twice as large. Our own
modules also keep their sources, so that tracebacks show their lines.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from uv import find_uv_bin

from stacks.config.environments import Environment
from stacks.errors import ConfigurationError, PackageError
from stacks.packaging import contents
from stacks.packaging.contents import NO_ADDITIONS, RUNTIME, Additions, Sources, read_sources

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a package, and so the directory of modules in tracebacks."""

RECEIVER_MODULES = ("__init__.py", "receiver.py")
"""All modules of the receiver's package."""

_OUTPUT_LINES_SHOWN = 8
_INSTALL_SECONDS = 600
_COMPILE_SECONDS = 300
_KEPT_BUILDS = 8
_IN_USE_SECONDS = 3600
"""For how long after its last use a build may still be read by the process that requested it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Python and the platform that a package is built for.

    Attributes:
        python: Python's minor version, such as `3.13`.
        platform: The platform as uv names it; None: the machine that builds.
    """

    python: str
    platform: str | None

    @classmethod
    def of_function(cls, runtime: lambda_.Runtime, architecture: lambda_.Architecture) -> "Target":
        """Return the target of a function with this runtime and architecture."""
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture.name]
        return cls(python=runtime.name.removeprefix("python"), platform=f"{machine}-manylinux2014")

    @classmethod
    def of_host(cls) -> "Target":
        """Return the Python and the machine that run synth."""
        return cls(python=sysconfig.get_python_version(), platform=None)

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform or sysconfig.get_platform()}"


def requested_target(environment: Environment, package_for: object) -> Target:
    """Return the target that an app was asked to build its package for.

    Args:
        environment: The environment of the functions.
        package_for: Context `package_for`: `lambda` (also if None), or `host`.

    Raises:
        ConfigurationError: It is neither.
    """
    if package_for in {None, "lambda"}:
        return Target.of_function(environment.function_runtime, environment.function_architecture)
    if package_for == "host":
        return Target.of_host()
    raise ConfigurationError(f"context package_for: {package_for!r} is not one of lambda, host")


@dataclass(frozen=True)
class LambdaPackage:
    """A package that is ready to be deployed.

    Attributes:
        directory: The contents of the function's task root.
        fingerprint: Hexadecimal digest of the package's input.
    """

    directory: Path
    fingerprint: str

    def code(self) -> lambda_.AssetCode:
        """Return the package as a function's code; each stack needs its own."""
        return lambda_.Code.from_asset(
            str(self.directory),
            asset_hash=self.fingerprint,
            asset_hash_type=AssetHashType.CUSTOM,
        )


def build_package(
    target: Target,
    *,
    project: Path,
    runtime: Path = RUNTIME,
    additions: Additions = NO_ADDITIONS,
) -> LambdaPackage:
    """Return the functions' package for the target; build it if it does not exist.

    It contains bytecode if a Python of the target's version is available, and only sources
    otherwise, which behave the same and start several times slower.

    Args:
        target: What the package has to run on.
        project: The app's directory, whose `.build` holds packages.
        runtime: The runtime's sources.
        additions: What the app's own processor code adds.

    Raises:
        PackageError: It cannot be built; no partial package is left.
    """
    sources, builds = read_sources(runtime, additions), project / ".build"
    package = _package(builds, sources, target, form="bytecode")
    if not package.directory.is_dir():
        python = _interpreter(target.python)
        if not python:
            package = _package(builds, sources, target, form="sources")
        if not package.directory.is_dir():
            _build(package.directory, sources, target, python)
    os.utime(package.directory)
    return package


def build_receiver(*, project: Path, runtime: Path = RUNTIME) -> LambdaPackage:
    """Return the package of the receiver of status callbacks; build it if it does not exist.

    It contains one module: botocore, which it imports, is part of Lambda's Python runtimes.

    Args:
        project: The app's directory, whose `.build` holds packages.
        runtime: The runtime's sources.
    """
    files = {Path(runtime.name, name): (runtime / name).read_bytes() for name in RECEIVER_MODULES}
    fingerprint = digest(str(path).encode() + content for path, content in files.items())
    package = LambdaPackage(project / ".build" / f"receiver-{fingerprint[:16]}", fingerprint)
    if not package.directory.is_dir():
        package.directory.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=package.directory.parent, prefix="unfinished-"
        ) as scratch:
            unfinished = Path(scratch, "package")
            _write(unfinished, files)
            _make_readable(unfinished)
            _move_into_place(unfinished, package.directory)
    os.utime(package.directory)
    return package


def remove_replaced_assets(assembly: Path) -> None:
    """Remove assets from a cloud assembly's directory that none of its stacks has."""
    manifests = "".join(path.read_text("utf-8") for path in assembly.glob("*.assets.json"))
    for asset in assembly.glob("asset.*"):
        if asset.name not in manifests:
            shutil.rmtree(asset, ignore_errors=True)


def _package(builds: Path, sources: Sources, target: Target, *, form: str) -> LambdaPackage:
    files = (part for path, text in sources.files.items() for part in (str(path).encode(), text))
    fingerprint = digest([*_dependency_parts(sources, target, form), *files])
    return LambdaPackage(builds / f"package-{fingerprint[:16]}", fingerprint)


def _dependency_parts(sources: Sources, target: Target, form: str) -> list[bytes]:
    """Return everything that a package's dependencies are made of."""
    builder = (Path(__file__), Path(contents.__file__))
    parts = [f"{form}: {target}".encode(), importlib.metadata.version("uv").encode()]
    parts += [path.read_bytes() for path in (*sources.locks, *builder)]
    return [*parts, " ".join(sorted(sources.services)).encode()]


def digest(parts: Iterable[bytes]) -> str:
    """Return a hexadecimal digest of some parts; other boundaries between them change it."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _build(package: Path, sources: Sources, target: Target, python: Sequence[str]) -> None:
    if not python:
        sys.stderr.write(
            f"warning: uv neither finds nor downloads Python {target.python}: the Lambda package is"
            " built without bytecode, and its cold starts take several times as long\n"
        )
    sys.stderr.write(f"building the Lambda package for {target} …\n")
    package.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent, prefix="unfinished-") as scratch:
        unfinished = Path(scratch, "package")
        dependencies = _dependencies(package.parent, Path(scratch), sources, target, python)
        shutil.copytree(dependencies, unfinished, copy_function=_link)
        _write(unfinished, sources.files)
        if python:
            _compile_own(unfinished, python, target, {path.parts[0] for path in sources.files})
        _make_readable(unfinished)
        _move_into_place(unfinished, package)
    _remove_unused(package.parent)


def _dependencies(
    builds: Path, scratch: Path, sources: Sources, target: Target, python: Sequence[str]
) -> Path:
    """Return a directory with a package's dependencies; build it if it does not exist."""
    parts = _dependency_parts(sources, target, "bytecode" if python else "sources")
    dependencies = builds / f"dependencies-{digest(parts)[:16]}"
    if not dependencies.is_dir():
        unfinished = scratch / "dependencies"
        _install(scratch, unfinished, sources, target)
        _remove_excluded(unfinished, sources.services)
        if python:
            _compile_dependencies(unfinished, python, target)
        _move_into_place(unfinished, dependencies)
    os.utime(dependencies)
    return dependencies


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy(source, target)


def _write(package: Path, files: Mapping[Path, bytes]) -> None:
    for path, content in files.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).unlink(missing_ok=True)  # it may be a link to a dependency's file
        (package / path).write_bytes(content)


def _make_readable(package: Path) -> None:
    # Lambda runs as another user, so the package must not depend on the builder's umask.
    for path in (package, *package.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _install(scratch: Path, package: Path, sources: Sources, target: Target) -> None:
    excluded = scratch / "excluded.txt"
    excluded.write_text("\n".join(sources.excluded))
    command = [find_uv_bin(), "pip", "install", "--python", sys.executable]
    command += ["--target", str(package), "--python-version", target.python]
    command += ["--python-platform", target.platform] if target.platform else []
    command += [part for lock in sources.locks for part in ("--requirements", str(lock))]
    command += ["--require-hashes", "--excludes", str(excluded)]
    # With UV_LINK_MODE=symlink the package would consist of links into uv's cache.
    command += ["--only-binary", ":all:", "--no-progress", "--link-mode", "copy"]
    locks = " and ".join(map(str, sources.locks))
    failure = f"the Lambda package for {target} cannot be built from {locks}"
    try:
        subprocess.run(  # noqa: S603  # our own arguments, and no shell
            command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS
        )
    except subprocess.CalledProcessError as error:
        output = "\n  ".join(error.stderr.strip().splitlines()[-_OUTPUT_LINES_SHOWN:])
        raise PackageError(
            f"{failure}: `uv pip install` ended with status {error.returncode}:\n  {output}\n"
            "Is the package index reachable? After a change of requirements.txt, run `make lock`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"{failure}: `uv pip install` took more than {_INSTALL_SECONDS} s. "
            "Is the package index reachable?"
        ) from error


def _remove_excluded(package: Path, services: frozenset[str]) -> None:
    for exclusion in contents.EXCLUSIONS:
        for path in package.glob(exclusion.pattern):
            if path.name in exclusion.keep | services:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _interpreter(version: str) -> tuple[str, ...]:
    """Return the command of a Python of that minor version; empty if uv cannot provide one."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return (sys.executable,)
    uv_run = (find_uv_bin(), "run", "--quiet", "--no-project", "--python", version, "--", "python")
    return uv_run if _run_python([*uv_run, "-c", ""], version).returncode == 0 else ()


def _compile_own(package: Path, python: Sequence[str], target: Target, names: set[str]) -> None:
    """Compile our modules, in the folders with these names; they keep their sources.

    Raises:
        PackageError: One of them does not compile.
    """
    folders = [str(package / name) for name in sorted(names)]
    done = _compile(package, python, target, *folders)
    if done.returncode:
        raise PackageError(f"it cannot be compiled for {target}:\n{done.stdout}{done.stderr}")


def _compile_dependencies(directory: Path, python: Sequence[str], target: Target) -> None:
    # Some distributions contain files for other versions of Python, which are left as they are.
    _compile(directory, python, target, "-b", *map(str, sorted(directory.iterdir())))
    for bytecode in directory.rglob("*.pyc"):
        bytecode.with_suffix(".py").unlink(missing_ok=True)


def _compile(
    root: Path, python: Sequence[str], target: Target, *arguments: str
) -> subprocess.CompletedProcess[str]:
    # Bytecode that is never compared with its source, since files of a package do not change.
    command = [*python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode"]
    command += ["unchecked-hash", "-s", str(root), "-p", TASK_ROOT, *arguments]
    return _run_python(command, target.python)


def _run_python(command: Sequence[str], version: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYENV_VERSION": version,  # pyenv's commands of other versions work only with this
        "UV_HTTP_RETRIES": "1",  # without a network each synth would wait for the retries
        "PYTHONHASHSEED": "0",  # the order of a set's constants becomes part of the bytecode
    }
    return subprocess.run(  # noqa: S603  # our own arguments, and no shell
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_COMPILE_SECONDS,
        check=False,
    )


def _move_into_place(built: Path, package: Path) -> None:
    try:
        built.rename(package)
    except OSError:
        if not package.is_dir():  # otherwise another process has built the same package
            raise


def _remove_unused(builds: Path) -> None:
    used = {}
    for build in builds.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may remove it too
            used[build] = build.stat().st_mtime
    for build in sorted(used, key=lambda build: used[build], reverse=True)[_KEPT_BUILDS:]:
        if used[build] < time.time() - _IN_USE_SECONDS:
            shutil.rmtree(build, ignore_errors=True)
