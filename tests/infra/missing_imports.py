"""Imports in a package's bytecode of what their own distribution should have, and has not."""

import dis
import marshal
from collections.abc import Iterable, Iterator
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType

HEADER_BYTES = 16
"""What stands in a file before the code (PEP 552)."""


def missing_imports(package: Path, modules: Iterable[str]) -> dict[str, list[str]]:
    """Look for imports, at a module's top or within a function, of modules that are not there.

    Only those of a module's own distribution: what another would bring is optional everywhere.

    Args:
        package: Directory of the package, compiled for the Python that runs this.
        modules: Names of the modules to look into; those that are not packed are passed over.

    Returns:
        The modules with such imports, and what each asks for in vain.
    """
    found = {name: sorted(set(_missing(package, name))) for name in modules}
    return {name: missing for name, missing in found.items() if missing}


def code_in(file: Path) -> CodeType:
    """The code object of a file of bytecode."""
    code: CodeType = marshal.loads(file.read_bytes()[HEADER_BYTES:])  # noqa: S302 - our own build
    return code


def _missing(package: Path, module: str) -> Iterator[str]:
    path = package.joinpath(*module.split("."))
    parent = module if path.is_dir() else module.rpartition(".")[0]
    file = path / "__init__.pyc" if path.is_dir() else path.with_suffix(".pyc")
    if not file.exists():
        return
    for name in _imported(code_in(file), parent):
        if name.split(".")[0] == module.split(".", 1)[0] and not _is_there(package, name):
            yield name


def _imported(code: CodeType, parent: str) -> Iterator[str]:
    """The modules that a code object, or one within it, imports from."""
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


def _is_there(package: Path, module: str) -> bool:
    path = package.joinpath(*module.split("."))
    return path.is_dir() or any(path.parent.glob(f"{path.name}.*"))
