"""The real Lambda package for tests, its bytecode, and the imports that are missing in it."""

import dis
import marshal
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from uv import find_uv_bin

from stacks.errors import PackageError
from stacks.packaging.lambda_package import LambdaPackage, Target, build_package
from tests.infra.synthesis import ROOT

HEADER_BYTES = 16
"""The header of a bytecode file (PEP 552)."""


def real_package(target: Target) -> LambdaPackage:
    """Return the project's package for a target; skip without a package index and a cache."""
    try:
        return build_package(target, project=ROOT)
    except PackageError:
        command = [find_uv_bin(), "pip", "compile", "--no-cache", "--python", sys.executable, "-"]
        options: Any = {"input": b"six", "capture_output": True, "timeout": 60}
        index = subprocess.run(command, check=False, **options)  # noqa: S603 - our own arguments
        if index.returncode == 0:
            raise
        pytest.skip("the package index cannot be reached, and uv's cache lacks the dependencies")


def code_in(file: Path) -> CodeType:
    """Return the code object of a bytecode file."""
    code: CodeType = marshal.loads(file.read_bytes()[HEADER_BYTES:])  # noqa: S302 - our own build
    return code


def missing_imports(package: Path, modules: Iterable[str]) -> dict[str, list[str]]:
    """Return the imports, at the top of a module or in a function, of modules that do not exist.

    Only those from a module's own distribution: other distributions are optional everywhere.

    Args:
        package: Directory of the package, compiled for the Python that runs this.
        modules: Names of the modules to check; those that are not packed are ignored.
    """
    found = {name: sorted(set(_missing(package, name))) for name in modules}
    return {name: missing for name, missing in found.items() if missing}


def _missing(package: Path, module: str) -> Iterator[str]:
    path, parent = package.joinpath(*module.split(".")), module.rpartition(".")[0]
    if path.is_dir():
        path, parent = path / "__init__", module
    if path.with_suffix(".pyc").exists():
        own = re.compile(rf"{module.split('.', 1)[0]}(\.|$)")
        names = filter(own.match, _imported(code_in(path.with_suffix(".pyc")), parent))
        yield from (name for name in names if not _exists(package, name))


def _imported(code: CodeType, parent: str) -> Iterator[str]:
    """Yield the modules that a code object, or one within it, imports from."""
    constants: list[object] = [0, None]
    for instruction in dis.get_instructions(code):
        if "LOAD" in instruction.opname:
            constants.append(instruction.argval)
        if instruction.opname == "IMPORT_NAME":
            level = constants[-2] if isinstance(constants[-2], int) else 0
            yield resolve_name("." * level + instruction.argval, parent)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant, parent)


def _exists(package: Path, module: str) -> bool:
    path = package.joinpath(*module.split("."))
    return path.is_dir() or any(path.parent.glob(f"{path.name}.*"))
