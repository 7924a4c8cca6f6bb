"""Hatchling's hooks, which build the distribution from this repository (`make package`).

Packages with names as common as `stacks` and `local` would collide with folders of the repository
that installs the wheel. In the wheel they are therefore subpackages of `ai_multi_comms`, and their
imports are rewritten accordingly. `lambda_src` keeps its name, which it also has in Lambda: code
that uses it is the same in both places, and the deployed code is the tested code.
"""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

HOME = "ai_multi_comms"
MOVED = ("stacks", "local", "ops", "conformance")
"""Subpackages of `HOME` in the distribution."""

EXTRAS = {
    "runtime": ("lambda_src/requirements.txt",),
    "local": ("lambda_src/requirements.txt", "local/requirements-client.txt"),
    "ops": ("lambda_src/requirements.txt", "ops/requirements.txt"),
    "conformance": (
        "lambda_src/requirements.txt",
        "local/requirements-client.txt",
        "conformance/requirements.txt",
    ),
}
"""Requirements of each extra: the versions that the tests use."""


class RequirementsHook(MetadataHookInterface):
    """Reads the extras' requirements from this repository's requirements files."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the extras to the metadata."""
        metadata["optional-dependencies"] = {
            extra: [line for name in names for line in _requirements(Path(self.root, name))]
            for extra, names in EXTRAS.items()
        }


class MovedPackagesHook(BuildHookInterface[Any]):
    """Writes the packages below `HOME` with rewritten imports, and adds them to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """Write the packages and add them to `build_data`."""
        root, written = Path(self.root), Path(self.root, ".build", "moved")
        shutil.rmtree(written, ignore_errors=True)
        for name in (HOME, *MOVED):
            for path in _files(root / name):
                target = written / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_moved(path))
            inside = HOME if name == HOME else f"{HOME}/{name}"
            build_data["force_include"][str(written / name)] = inside
        build_data["force_include"][str(root / "README.md")] = f"{HOME}/README.md"
        for page in sorted((root / "docs").rglob("*.md")):
            build_data["force_include"][str(page)] = f"{HOME}/{page.relative_to(root)}"


def _requirements(file: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _files(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _moved(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    return renamed_imports(path.read_text("utf-8"), str(path)).encode()


def renamed_imports(source: str, file: str) -> str:
    """Return a module's source with imports of the moved packages rewritten.

    Args:
        source: The module's source.
        file: Its path, for errors.

    Raises:
        ValueError: It uses `import …` for a moved package, whose name in the code would change.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(_is_moved(name.name) for name in node.names):
            raise ValueError(f"{file}, line {node.lineno}: write `from … import …` instead")
        if isinstance(node, ast.ImportFrom) and not node.level and _is_moved(node.module or ""):
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = re.sub(r"^(\s*from )", rf"\g<1>{HOME}.", line)
    return "".join(lines)


def _is_moved(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in MOVED
