"""The function's process: what it imports when, and the core that it uses."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec

ON_DEMAND = "on-demand"
"""Value of `AWS_LAMBDA_INITIALIZATION_TYPE` if a message is waiting for the container to start."""
PROCESSOR_FIELD = 36
"""Index of the current core in `/proc/<pid>/stat`, after the command's name (proc_pid_stat(5))."""


def is_in_lambda() -> bool:
    """Return whether this is a function's process, in Lambda or the local cloud."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def use_one_core() -> None:
    """Bind this thread, and those that it starts, to the core that it runs on.

    Python runs one thread at a time. On two cores each change of threads also moves the
    interpreter's data from one core's cache to the other's, which took a seventh of a message's
    processor time. Does nothing on other systems than Linux, or if the system refuses it.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            after_command = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2]
            os.sched_setaffinity(0, {int(after_command.split()[PROCESSOR_FIELD])})


def preload(modules: Sequence[str], prepare: Callable[[], object]) -> None:
    """Import modules before the first message needs them, in this order.

    If a message is waiting, they are imported in a thread while it is received and its lease
    acquired. Otherwise (SnapStart, provisioned concurrency) the start itself takes the time.

    Args:
        modules: Names of modules.
        prepare: Called after them: what else takes time once.
    """

    def import_all() -> None:
        for module in modules:
            import_module(module)
        prepare()
        # Imported objects are never garbage; without them each collection is short.
        gc.freeze()

    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", ON_DEMAND) == ON_DEMAND:
        Thread(target=import_all, daemon=True, name="preload").start()
    else:
        import_all()


def defer_packages(name: str) -> None:
    """Run the `__init__` of a package, and of those below it, at the first use of one of its names.

    An SDK's package of types imports all of its modules, of which a client needs few. The
    standard library's `LazyLoader` does not defer a package whose modules are imported. Packages
    that are already imported stay as they are.

    Args:
        name: The package's whole name.
    """
    sys.meta_path.insert(0, _DeferringFinder(name))


class _DeferringFinder(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(f"{self._name}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.submodule_search_locations is not None:
            spec.loader = _DeferringLoader()
        return spec


class _DeferringLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _DeferredPackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: see `_DeferredPackage`."""


class _DeferredPackage(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Imported as a module of its own, so that Python's import locks apply.
        return getattr(import_module(f"{self.__name__}.__init__"), name)
