"""A process that ends with the one that started it, however that one ends."""

import os
from multiprocessing import active_children, parent_process
from threading import Thread


def end_with_parent() -> None:
    """End this process and its children, from now on, as soon as its parent has ended."""
    Thread(target=_watch, name="leash", daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    if parent:
        parent.join()
        for child in active_children():
            child.kill()  # it may be frozen, and then does not end by itself
        os._exit(1)
