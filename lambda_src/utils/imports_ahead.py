"""Modules that only a message needs, imported ahead of the first one."""

from collections.abc import Sequence
from importlib import import_module
from threading import Thread

ON_DEMAND = "on-demand"
"""How Lambda names the start of an environment for which a message waits."""


def import_ahead(modules: Sequence[str], initialization: str) -> None:
    """Import modules in this order: on a thread where a message waits, so that it is begun with.

    Any other start is made ahead of messages: a snapshot, or provisioned concurrency. It takes the
    time.

    Args:
        modules: Names of modules.
        initialization: Lambda's `AWS_LAMBDA_INITIALIZATION_TYPE`.
    """
    if initialization == ON_DEMAND:
        Thread(target=_import_all, args=(modules,), daemon=True, name="imports-ahead").start()
    else:
        _import_all(modules)


def _import_all(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)
