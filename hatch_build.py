"""How the distribution is made of this repository (hatchling's hooks; `make package` runs them).

In a wheel, packages with names as common as `stacks` and `local` would hide, or be hidden by, the
folders of whoever installs it. So there they stand below `ai_multi_comms`, and each import names
them there. `lambda_src` keeps its name, which it also has in Lambda, where no other package is:
so code that works with it is the same in both places, and what is deployed is what was tested.
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
"""The packages that stand below `HOME` in the distribution."""

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
"""What an extra installs: the versions that everything here is tested with."""


class RequirementsHook(MetadataHookInterface):
    """The extras' requirements, out of the files that this repository installs from."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them to the metadata."""
        metadata["optional-dependencies"] = {
            extra: [line for name in names for line in _requirements(Path(self.root, name))]
            for extra, names in EXTRAS.items()
        }


class MovedPackagesHook(BuildHookInterface[Any]):
    """The packages below `HOME`, written anew with their imports, and taken into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """Write them, and tell hatchling where they are."""
        root, written = Path(self.root), Path(self.root, ".build", "moved")
        shutil.rmtree(written, ignore_errors=True)
        for name in (HOME, *MOVED):
            for path in _files(root / name):
                target = written / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_moved(path))
            inside = HOME if name == HOME else f"{HOME}/{name}"
            build_data["force_include"][str(written / name)] = inside
        build_data["force_include"][str(root / "README.md")] = f"{HOME}/docs/README.md"
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
    """Return a module's source with imports of the moved packages from where they stand.

    Args:
        source: The module's.
        file: Its path, for errors.

    Raises:
        ValueError: It imports one by `import …`, whose name would then be another in the code.
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
