"""Packages whose `__init__` runs at the first use of one of its names, and not at their import.

An SDK's package of types imports all of its modules, of which a client needs few or none. The
standard library's `LazyLoader` does not defer a package whose modules are imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec


def defer_packages(name: str) -> None:
    """Defer a package and all packages below it; those that are already imported stay as they are.

    Args:
        name: The package's whole name.
    """
    sys.meta_path.insert(0, _Finder(name))


class _Finder(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(f"{self._name}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.submodule_search_locations is not None:
            spec.loader = _Loader()
        return spec


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: see `_Package`."""


class _Package(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Imported as a module of its own, so that Python's import locks apply.
        return getattr(import_module(f"{self.__name__}.__init__"), name)
